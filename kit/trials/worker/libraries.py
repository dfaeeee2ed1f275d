"""The imports of a warm parent: the third-party libraries of its stack, imported as pytest would.

pytest rewrites the assertions of its plugins during their import. A plugin imported otherwise would have other code,
and pytest would warn about it; so plugins are imported here through pytest's import hook, which is removed again.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType, SimpleNamespace
from typing import Any

from . import PROBES

# Imported if the stack has them. A trial of the specimen imports each of these, too: a library that is watched by a
# probe and missing here would be seen in a forked trial and not in a new interpreter.
LIBRARIES = (
    "pytest", "fastapi", "fastapi.dependencies.utils", "starlette.applications", "starlette.background",
    "sqlalchemy", "sqlalchemy.orm", "sqlalchemy.ext.asyncio", "sqlalchemy.dialects.postgresql.asyncpg", "asyncpg",
    "asyncpg.pool", "greenlet", "httpx", "anyio", "anyio._backends._asyncio", "pydantic", "email_validator",
    "pydantic.v1",
)  # fmt: skip
# pytest imports these when it reports failures, formats or compares.
_LATE_IN_PYTEST = (
    "_pytest._code.code", "_pytest.assertion.util", "_pytest.assertion.truncate", "_pytest.assertion._compare_any",
    "_pytest._io.pprint", "_pytest._io.saferepr", "_pytest._io.terminalwriter", "pygments", "pygments.lexers.python",
    "pygments.formatters.terminal", "_pytest._argcomplete", "_pytest.config.compat", "_pytest.config.findpaths", "pdb",
    "faulthandler", "readline",
)  # fmt: skip


def load(name: str, folder: str) -> ModuleType:
    """Import the package in a folder under another name."""
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return package


def load_probes() -> None:
    """Load the probes as `sitecustomize` in kit/probes/inject does, which then only has to install them."""
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "probes")
    load(PROBES, folder).loaded_ahead = True  # type: ignore[attr-defined]
    importlib.import_module(f"{PROBES}.installed")
    # Otherwise each fork would find out again that these modules are libraries.
    importlib.import_module(f"{PROBES}.loaded").application_modules()


def import_libraries(also: Iterable[str] = (), before_each: Callable[[], None] = lambda: None) -> list[str]:
    """Import the installed ones of the libraries, and pytest's plugins; the modules in `also` must exist.

    Returns the names of missing libraries. This takes seconds; an exception of `before_each` aborts it.
    """
    missing = []
    with _rewriting():
        for name in (*_of_pytest(), *LIBRARIES):
            before_each()
            try:
                importlib.import_module(name)
            except ImportError:
                missing.append(name)
    for name in also:
        importlib.import_module(name)
    _fill_caches()
    return missing


def _of_pytest() -> Iterator[str]:
    with suppress(ImportError):  # a stack without pytest still runs its trials
        from _pytest import config

        yield from (f"_pytest.{name}" for name in config.default_plugins)
        yield from _LATE_IN_PYTEST
    yield from _plugins()


def _plugins() -> Iterator[str]:
    """The plugins that pytest would load in this environment in addition to its own."""
    yield from filter(None, os.environ.get("PYTEST_PLUGINS", "").split(","))
    if not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        for entry in importlib.metadata.entry_points(group="pytest11"):
            yield entry.value.partition(":")[0].strip()


@contextmanager
def _rewriting() -> Iterator[None]:
    """Install pytest's import hook, which rewrites what pytest would rewrite at its start."""
    try:
        from _pytest.assertion import rewrite
        from _pytest.config import Config
    except ImportError:
        yield
        return
    hook = rewrite.AssertionRewritingHook(_NoConfig())  # type: ignore[arg-type]
    marking = Config._mark_plugins_for_rewrite
    told = [False] if "disable_autoload" in marking.__code__.co_varnames else []  # since pytest 8.4
    marking(SimpleNamespace(pluginmanager=SimpleNamespace()), hook, *told)  # type: ignore[arg-type]
    sys.meta_path.insert(0, hook)
    try:
        yield
    finally:
        sys.meta_path.remove(hook)


class _NoConfig:
    """Replaces pytest's configuration for the hook, which uses three things of it."""

    def __init__(self) -> None:
        from _pytest.assertion import rewrite

        self.stash: dict[Any, Any] = {rewrite.assertstate_key: SimpleNamespace(trace=lambda text: None)}

    def getini(self, name: str) -> Any:
        if name == "enable_assertion_pass_hook":
            return False  # requested when a plugin is rewritten for the first time on a machine
        raise ValueError(name)  # the hook then uses pytest's default patterns

    def issue_config_time_warning(self, warning: Warning, stacklevel: int) -> None:
        """Ignore the warning that a plugin was imported before the hook; a fresh interpreter gives it itself."""


def _fill_caches() -> None:
    """Fill caches of the standard library: installed distributions, their entry points, and the file of each module.

    It notices changed folders and added modules later.
    """
    _remember_entry_points()
    for distribution in importlib.metadata.distributions():
        distribution.metadata["Name"]
        _ = distribution.entry_points
    inspect.getmodule(compile("", "<nowhere>", "exec"))  # otherwise a failing test would spend time on this
    list(tokenize.generate_tokens(iter(["x\n"]).__next__))  # compiles its expressions


def _remember_entry_points() -> None:
    """Let a distribution's entry points be read once: pytest asks every distribution for each plugin that it loads.

    A file that has changed since is read again.
    """
    kind = importlib.metadata.Distribution
    read = kind.entry_points.fget  # type: ignore[attr-defined]
    known: dict[str, tuple[tuple[int, int, int] | None, Any]] = {}

    def entry_points(self: importlib.metadata.Distribution) -> Any:
        path = getattr(self, "_path", None)
        if not isinstance(path, os.PathLike):  # in an archive
            return read(self)
        name = os.fspath(path)
        state = _state_of(os.path.join(name, "entry_points.txt"))
        if name not in known or known[name][0] != state:
            known[name] = state, read(self)
        return known[name][1]

    kind.entry_points = property(entry_points, doc=kind.entry_points.__doc__)  # type: ignore[assignment]


def _state_of(file: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
