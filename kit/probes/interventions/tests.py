"""Interventions on the tests that run, their order, and what happens between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, FrozenSet, List, Sequence, Tuple

from ..callables import code_of
from ..own import os
from ..own import own_builtins as __builtins__  # noqa: F401
from ..pytest_use import id_in_record
from .base import File, Intervention, Rerun, TakenAway


@dataclass(frozen=True)
class LeaveOut(Intervention):
    """Tests, by id or file as in the record, are not run; files are not even collected."""

    op = "leave-out"
    tests: Tuple[str, ...] = ()
    files: Tuple[File, ...] = ()

    @property
    def label(self) -> str:
        return f"without {_counted((*self.tests, *(f'collecting {file}' for file in self.files)))}"

    @property
    def takes_away(self) -> TakenAway:
        return TakenAway(tests=(*self.tests, *self.files))

    def apply(self, rerun: Rerun) -> None:
        _choose(rerun, self.op, self.tests, self.files)


@dataclass(frozen=True)
class RunOnly(Intervention):
    """Only these tests run, and only their files are collected."""

    op = "only"
    tests: Tuple[str, ...]

    @property
    def label(self) -> str:
        return f"with only {_counted(self.tests)} run"

    def apply(self, rerun: Rerun) -> None:
        _choose(rerun, self.op, self.tests)


@dataclass(frozen=True)
class RunFirst(Intervention):
    """These tests run before all others, in this order."""

    op = "first"
    tests: Tuple[str, ...]

    @property
    def label(self) -> str:
        return f"with {_counted(self.tests)} run first"

    def apply(self, rerun: Rerun) -> None:
        _choose(rerun, self.op, self.tests)


@dataclass(frozen=True)
class OneProcess(Intervention):
    """pytest-xdist starts no workers: all tests run in the main process, one after another."""

    op = "one-process"

    @property
    def label(self) -> str:
        return "in one process"

    def apply(self, rerun: Rerun) -> None:
        def make(hookimpl: Any) -> Any:
            class InOneProcess:
                @hookimpl(hookwrapper=True, tryfirst=True)
                def pytest_cmdline_main(self, config: Any) -> Any:
                    if getattr(config.option, "numprocesses", None) or getattr(config.option, "tx", None):
                        config.option.numprocesses, config.option.tx, config.option.dist = 0, [], "no"
                        rerun.record_effect()
                    yield

            return InOneProcess()

        plug_in(rerun, make)


@dataclass(frozen=True)
class GiveInstead(Intervention):
    """A fixture of that name in a file gives another value than its function."""

    op = "give-instead"
    fixture: str
    file: File
    value: str = field(repr=False)

    @property
    def label(self) -> str:
        return f"with the fixture {self.fixture} of {self.file} giving another database"

    def apply(self, rerun: Rerun) -> None:
        def calling(original: Any) -> Any:
            def call_fixture_func(fixturefunc: Any, request: Any, kwargs: Any) -> Any:
                given = original(fixturefunc, request, kwargs)
                code = code_of(fixturefunc)
                mine = code is not None and os.path.realpath(code.co_filename) == os.path.realpath(self.file)
                if request.fixturename != self.fixture or not mine:
                    return given
                rerun.record_effect()
                return self.value if isinstance(given, str) else type(given)(self.value)
            return call_fixture_func

        rerun.hooks.when_imported(
            "_pytest.fixtures", lambda fixtures: rerun.hooks.replace(fixtures, "call_fixture_func", calling)
        )


@dataclass(frozen=True)
class AfterEach(Intervention):
    """One test runs first, and again after each other test."""

    op = "after-each"
    test: str

    @property
    def label(self) -> str:
        return f"with {self.test} run again after each other test"

    def apply(self, rerun: Rerun) -> None:
        test = self.test
        begun: List[Any] = []

        def make(hookimpl: Any) -> Any:
            class Repeating:
                @hookimpl(hookwrapper=True, trylast=True)
                def pytest_collection_modifyitems(self, items: Any) -> Any:
                    yield
                    repeated = [item for item in items if item.nodeid == test]
                    if repeated:
                        others = [item for item in items if item.nodeid != test]
                        items[:] = [repeated[0], *(item for other in others for item in (other, repeated[0]))]
                        rerun.record_effect()

                @hookimpl(hookwrapper=True, tryfirst=True)
                def pytest_runtest_protocol(self, item: Any) -> Any:
                    if item.nodeid == test:
                        if begun and hasattr(item, "_initrequest"):  # as plugins for reruns do
                            item._initrequest()
                        begun.append(item)
                    yield

            return Repeating()

        plug_in(rerun, make)


@dataclass(frozen=True)
class StopWhenRefused(Intervention):
    """No more tests start once a connection has been refused."""

    op = "stop"

    @property
    def label(self) -> str:
        return "stopped at the first refused connection"

    def apply(self, rerun: Rerun) -> None:
        from .unittests import stop_when

        stop_when(rerun.refused, rerun.hooks)

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
                    if rerun.refused():
                        session.shouldstop = "a connection was refused: its database is not allowed"

            return Stopping()

        plug_in(rerun, make)


@dataclass(frozen=True)
class RestoreFolder(Intervention):
    """The working directory is restored after each test."""

    op = "restore-folder"

    @property
    def label(self) -> str:
        return "with the working directory restored after each test"

    def apply(self, rerun: Rerun) -> None:
        def make(hookimpl: Any) -> Any:
            class Restoring:
                @hookimpl(hookwrapper=True, tryfirst=True)
                def pytest_runtest_protocol(self) -> Any:
                    before = os.getcwd()
                    yield
                    if not os.path.isdir(before) or os.getcwd() == before:
                        return
                    os.chdir(before)
                    rerun.record_effect()

            return Restoring()

        plug_in(rerun, make)


def plug_in(rerun: Rerun, make: Callable[[Any], Any]) -> None:
    """Register the plugin that `make(hookimpl)` returns when pytest configures itself."""
    def watch(config: Any) -> None:
        plugin = make(config.hookimpl)

        def configuring(original: Any) -> Any:
            def get_config(*args: Any, **kwargs: Any) -> Any:
                configured = original(*args, **kwargs)
                configured.pluginmanager.register(plugin)
                return configured
            return get_config

        rerun.hooks.replace(config, "get_config", configuring)

    rerun.hooks.when_imported("_pytest.config", watch)


def _choose(rerun: Rerun, op: str, tests: Tuple[str, ...], files: Tuple[str, ...] = ()) -> None:
    from .unittests import Choice

    real = frozenset(os.path.realpath(file) for file in files)
    plug_in(rerun, lambda hookimpl: _chooser(rerun, op, tests, real, hookimpl))
    Choice(op, tests, real, rerun.record_effect).install(rerun.hooks)


def _chooser(rerun: Rerun, op: str, tests: Tuple[str, ...], files: FrozenSet[str], hookimpl: Any) -> Any:
    class Chooser:
        @hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_pycollect_makemodule(self, parent: Any) -> Any:
            outcome = yield
            module = outcome.get_result()
            path = os.path.realpath(str(getattr(module, "path", None) or module.fspath))
            named = {test.partition("::")[0] for test in tests}
            nodeid = module.nodeid.partition("::")[0]
            if path in files if op == "leave-out" else op == "only" and path not in files and nodeid not in named:
                rerun.record_effect()
                outcome.force_result(_empty_module(module))

        @hookimpl(hookwrapper=True, trylast=True)
        def pytest_collection_modifyitems(self, config: Any, items: Any) -> Any:
            yield
            kept = _chosen(op, items, tests, files)
            if [item.nodeid for item in kept] != [item.nodeid for item in items]:
                rerun.record_effect()
                items[:] = kept

    return Chooser()


def _empty_module(module: Any) -> Any:
    """Make a test module collect nothing, so that it is not imported."""
    module.collect = lambda: []
    return module


def _chosen(op: str, items: List[Any], tests: Tuple[str, ...], files: FrozenSet[str]) -> List[Any]:
    """Return the items to run, in order; `tests` are ids as in the record."""
    if op == "first":
        order = {test: number for number, test in enumerate(tests)}
        return sorted(items, key=lambda item: order.get(id_in_record(item), len(order)))

    def named(item: Any) -> bool:
        path = os.path.realpath(str(getattr(item, "path", None) or item.fspath))
        if path in files:
            return True
        name = id_in_record(item)
        return any(name == test or name.startswith(test + "::") for test in tests)

    return [item for item in items if named(item) is (op == "only")]


def _counted(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 2 else f"{len(names)} tests"
