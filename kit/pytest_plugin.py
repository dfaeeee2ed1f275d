"""pytest's option --db-guard. Where it is not given, this file is all that is loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kit.guard import GuardedRun

NAME = "db-guard-run"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --db-guard and its list."""
    group = parser.getgroup(NAME, "which databases the tests may reach")
    group.addoption(
        "--db-guard", action="store_true", dest="db_guard",
        help="fail a test before its first statement on a database that db_guard_allow does not name",
    )
    parser.addini(
        "db_guard_allow", type="linelist", default=[],
        help="databases that --db-guard lets through, one a line: host:port/name, a SQLite file, or "
        "server:system_identifier/name; * stands for anything",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Begin before any conftest is imported, for that may connect already."""
    if early_config.known_args_namespace.db_guard:
        _begin(early_config)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse a run that could not be guarded from its beginning."""
    if config.option.db_guard and not config.pluginmanager.has_plugin(NAME):
        raise pytest.UsageError(
            "--db-guard was loaded after the conftests, which may have connected already. Take kit.pytest_plugin out "
            "of pytest_plugins: pytest finds it by itself where the kit is installed, or by -p kit.pytest_plugin."
        )


def _begin(config: pytest.Config) -> None:
    with _imported_as_it_is(config):
        from kit.guard import GuardedRun

    run: GuardedRun = GuardedRun(config)
    config.pluginmanager.register(run, NAME)
    config.add_cleanup(run.end)


@contextmanager
def _imported_as_it_is(config: pytest.Config) -> Iterator[None]:
    """Import without pytest's rewriting of assertions, which compiles every module of a plugin anew.

    That would be most of what the guard costs where what was compiled is not kept.
    """
    finders: list[Any] = sys.meta_path
    hook = config.pluginmanager.rewrite_hook
    if hook not in finders:  # --assert=plain
        yield
        return
    place = finders.index(hook)
    finders.remove(hook)
    try:
        yield
    finally:
        finders.insert(place, hook)
