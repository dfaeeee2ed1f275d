"""pytest's option --db-guard. Without it, only this module is loaded.

pytest loads the plugins of -p in the order of its options (those of a configuration file come first), then installed
plugins, then those of PYTEST_PLUGINS, then the conftests. The guard starts when this module is loaded.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kit.guard.run import GuardedRun

NAME, OPTION = "db-guard-run", "--db-guard"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add --db-guard and its list. Called when the plugin is loaded; starts the guard if the option is given."""
    group = parser.getgroup(NAME, "which databases the tests may reach")
    group.addoption(
        "--db-guard", action="store_true", dest="db_guard",
        help="fail a test before its first statement on a database that db_guard_allow does not name",
    )
    parser.addini(
        "db_guard_allow", type="linelist", default=[],
        help="databases that tests may reach under --db-guard, one per line: host:port/name, a SQLite file, or "
        "server:system_identifier/name; * matches anything",
    )
    parser.addini(
        "db_guard_drivers", type="args", default=[],
        help="names of drivers and programs that may connect although --db-guard cannot tell to which database",
    )
    config: Any = pluginmanager.get_plugin("pytestconfig")
    if config is not None and _is_requested(config):
        _start_guard(config)


def _is_requested(config: Any) -> bool:
    """Whether --db-guard is among a run's options, before pytest itself has parsed them."""
    if getattr(config.option, "db_guard", False):  # a worker of pytest-xdist gets the controller's options
        return True
    try:
        given = [*shlex.split(os.environ.get("PYTEST_ADDOPTS", "")), *config.getini("addopts")]
    except ValueError:  # called while a conftest is loaded, or with unbalanced quotes, which pytest will report
        return False
    return OPTION in (*given, *config.invocation_params.args)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Use the options as pytest parsed them, before any conftest is imported that may connect."""
    run: GuardedRun | None = early_config.pluginmanager.get_plugin(NAME)
    if early_config.known_args_namespace.db_guard:
        (run or _start_guard(early_config)).check_earlier_connections()
    elif run is not None:  # --db-guard was the value of another option
        early_config.pluginmanager.unregister(run)
        run.end()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse a run that could not be guarded from its start."""
    run: GuardedRun | None = config.pluginmanager.get_plugin(NAME)
    if config.option.db_guard and (run is None or not run.is_checked):
        raise pytest.UsageError(
            "--db-guard was loaded after the conftests, which may have connected already. Remove kit.guard.plugin "
            "from pytest_plugins: pytest finds it itself if the kit is installed, or by -p kit.guard.plugin."
        )


def _start_guard(config: pytest.Config) -> GuardedRun:
    with _without_assertion_rewriting(config):
        from kit.guard.run import GuardedRun

    run: GuardedRun = GuardedRun(config)
    config.pluginmanager.register(run, NAME)
    config.add_cleanup(run.end)
    return run


@contextmanager
def _without_assertion_rewriting(config: pytest.Config) -> Iterator[None]:
    """Import without pytest's assertion rewriting, which compiles every module of a plugin again.

    Without a cache of compiled modules, that would be most of the guard's cost.
    """
    finders: list[Any] = sys.meta_path
    hook = config.pluginmanager.rewrite_hook
    if hook not in finders:  # with --assert=plain
        yield
        return
    place = finders.index(hook)
    finders.remove(hook)
    try:
        yield
    finally:
        finders.insert(place, hook)
