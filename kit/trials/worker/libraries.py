"""What a warm parent imports: the third-party libraries of its stack, in the way in which pytest would import them.

pytest rewrites the assertions of its plugins as they are imported. A plugin that came in otherwise would be another
text, and pytest would say so; so they come in here through pytest's own import hook, which is taken out again.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType, SimpleNamespace
from typing import Any

from . import PROBES

# Whatever of these a stack has. Each is imported by a trial of the specimen as well, sooner or later: a library that
# is watched by a probe, and is not among them, would be seen in a forked trial and not in a spawned one.
LIBRARIES = (
    "pytest", "fastapi", "fastapi.dependencies.utils", "starlette.applications", "starlette.background",
    "sqlalchemy", "sqlalchemy.orm", "sqlalchemy.ext.asyncio", "sqlalchemy.dialects.postgresql.asyncpg", "asyncpg",
    "asyncpg.pool", "greenlet", "httpx", "anyio", "anyio._backends._asyncio", "pydantic", "email_validator",
    "pydantic.v1",
)  # fmt: skip
# pytest imports these as it fails, draws or compares.
_LATE_IN_PYTEST = (
    "_pytest._code.code", "_pytest.assertion.util", "_pytest.assertion.truncate", "_pytest.assertion._compare_any",
    "_pytest._io.pprint", "_pytest._io.saferepr", "_pytest._io.terminalwriter", "pygments", "pygments.lexers.python",
    "pygments.formatters.terminal", "_pytest._argcomplete", "_pytest.config.compat", "_pytest.config.findpaths", "pdb",
    "faulthandler", "readline",
)  # fmt: skip


def load(name: str, folder: str) -> ModuleType:
    """Import the package in a folder under a name of its own."""
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return package


def load_probes() -> None:
    """Load the probes as `sitecustomize` in kit/probes/inject does, which then puts them in only."""
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "probes")
    load(PROBES, folder).loaded_ahead = True  # type: ignore[attr-defined]
    importlib.import_module(f"{PROBES}.installed")
    owner = importlib.import_module(f"{PROBES}.frames").owner
    for module in list(sys.modules.values()):  # whose a file is they would ask in each fork again
        file = getattr(module, "__file__", None)
        if isinstance(file, str):
            owner(file)


def import_libraries(also: Iterable[str] = (), before_each: Callable[[], None] = lambda: None) -> list[str]:
    """Import what the stack has of the libraries, and its pytest plugins; `also` are modules that must be there.

    Returns the names of those that it does not have. All of it takes seconds; what `before_each` raises ends it.
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
    """The plugins that pytest would load in this environment beside its own."""
    yield from filter(None, os.environ.get("PYTEST_PLUGINS", "").split(","))
    if not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        for entry in importlib.metadata.entry_points(group="pytest11"):
            yield entry.value.partition(":")[0].strip()


@contextmanager
def _rewriting() -> Iterator[None]:
    """Let pytest's hook rewrite what it would rewrite at its own start."""
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
    """Stands in for pytest's configuration, of which the hook asks for three things."""

    def __init__(self) -> None:
        from _pytest.assertion import rewrite

        self.stash: dict[Any, Any] = {rewrite.assertstate_key: SimpleNamespace(trace=lambda text: None)}

    def getini(self, name: str) -> Any:
        if name == "enable_assertion_pass_hook":
            return False  # asked for when a plugin is rewritten for the first time on a machine
        raise ValueError(name)  # the hook then takes pytest's own patterns

    def issue_config_time_warning(self, warning: Warning, stacklevel: int) -> None:
        """A plugin came in before the hook did, as it would in a fresh interpreter, which says so itself."""


def _fill_caches() -> None:
    """Have the standard library note what it keeps: installed distributions, and the file of each module.

    It looks again at the folders' times, and at modules that have come since.
    """
    for distribution in importlib.metadata.distributions():
        distribution.metadata["Name"]
    inspect.getmodule(compile("", "<nowhere>", "exec"))  # which a test that fails would otherwise spend its time on
