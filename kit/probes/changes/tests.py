"""Changes of which tests are run, in which order, and of what is done between them, under pytest."""

from __future__ import annotations

from typing import Any, Callable, List

from ..own import functools, os, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from .change import Change


def choose(change: Change) -> None:
    """Tests and files of tests are left out, alone are run, or come first."""
    from .unittests import Choice

    _plug_in(change, lambda hookimpl: _chooser(change, hookimpl))
    Choice(change.fields, change.took_hold).install(change.hooks)


def stop(change: Change) -> None:
    """No further test is begun once a connection has been refused."""
    from .unittests import stop_when

    stop_when(change.refused, change.hooks)

    def make(hookimpl: Any) -> Any:
        class Stopping:
            @hookimpl(hookwrapper=True, trylast=True)
            def pytest_runtest_protocol(self, item: Any) -> Any:
                yield
                self._look(item.session)

            @hookimpl(hookwrapper=True, trylast=True)
            def pytest_collection(self, session: Any) -> Any:
                yield
                self._look(session)

            def _look(self, session: Any) -> None:
                if change.refused():
                    session.shouldstop = "a connection was refused: its database is not allowed"

        return Stopping()

    _plug_in(change, make)


def restore_folder(change: Change) -> None:
    """The working directory is put back after each test."""
    def make(hookimpl: Any) -> Any:
        class Restoring:
            @hookimpl(hookwrapper=True, tryfirst=True)
            def pytest_runtest_protocol(self) -> Any:
                before = os.getcwd()
                yield
                if not os.path.isdir(before) or os.getcwd() == before:
                    return
                os.chdir(before)
                change.took_hold()

        return Restoring()

    _plug_in(change, make)


def clear_caches(change: Change) -> None:
    """functools' caches of the application are empty before each test."""
    from ..frames import APPLICATION, owner

    def clear() -> None:
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if file is None or owner(file) is not APPLICATION:
                continue
            for value in list(vars(module).values()):
                if isinstance(value, functools._lru_cache_wrapper) and value.cache_info().currsize:
                    change.took_hold()
                    value.cache_clear()

    def make(hookimpl: Any) -> Any:
        class Clearing:
            @hookimpl(hookwrapper=True, tryfirst=True)
            def pytest_runtest_call(self) -> Any:
                clear()
                yield

        return Clearing()

    _plug_in(change, make)


def _plug_in(change: Change, make: Callable[[Any], Any]) -> None:
    def watch(config: Any) -> None:
        plugin = make(config.hookimpl)

        def configuring(original: Any) -> Any:
            def get_config(*args: Any, **kwargs: Any) -> Any:
                configured = original(*args, **kwargs)
                configured.pluginmanager.register(plugin)
                return configured
            return get_config

        change.hooks.replace(config, "get_config", configuring)

    change.hooks.when_imported("_pytest.config", watch)


def _chooser(change: Change, hookimpl: Any) -> Any:
    op = change.fields["op"]
    files = {os.path.realpath(file) for file in change.fields.get("files", ())}
    tests = list(change.fields.get("tests", ()))

    class Chooser:
        @hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_pycollect_makemodule(self, parent: Any) -> Any:
            outcome = yield
            module = outcome.get_result()
            path = os.path.realpath(str(getattr(module, "path", None) or module.fspath))
            named = {test.partition("::")[0] for test in tests}
            nodeid = module.nodeid.partition("::")[0]
            if path in files if op == "leave-out" else op == "only" and path not in files and nodeid not in named:
                change.took_hold()
                outcome.force_result(_empty_module(module))

        @hookimpl(hookwrapper=True, trylast=True)
        def pytest_collection_modifyitems(self, config: Any, items: Any) -> Any:
            yield
            kept = _chosen(op, items, tests, files)
            if [item.nodeid for item in kept] != [item.nodeid for item in items]:
                change.took_hold()
                items[:] = kept

    return Chooser()


def _empty_module(module: Any) -> Any:
    """A module of tests that is not imported and holds none."""
    module.collect = lambda: []
    return module


def _chosen(op: str, items: List[Any], tests: List[str], files: Any) -> List[Any]:
    def named(item: Any) -> bool:
        path = os.path.realpath(str(getattr(item, "path", None) or item.fspath))
        return path in files or any(item.nodeid == test or item.nodeid.startswith(test + "::") for test in tests)

    if op == "leave-out":
        return [item for item in items if not named(item)]
    if op == "only":
        return [item for item in items if named(item)]
    order = {test: number for number, test in enumerate(tests)}
    return sorted(items, key=lambda item: order.get(item.nodeid, len(order)))
