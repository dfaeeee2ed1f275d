"""pytest: which test is under way, in which phase, and how it ended."""

from __future__ import annotations

from typing import Any, Callable, Iterator, List, Optional, Protocol, TypeVar

from .context import CURRENT
from .hooks import Hooks
from .objects import attribute
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly
from .recorder import Recorder
from .redact import beginning, learn_all

MESSAGE_AT_MOST = 400  # characters

Hook = TypeVar("Hook", bound=Callable[..., Any])


class HookMarker(Protocol):
    """pytest's decorator of hooks."""

    def __call__(self, *, tryfirst: bool = False, hookwrapper: bool = False) -> Callable[[Hook], Hook]: ...


class PytestProbe:
    """A plugin that pytest is given as it configures itself; it prints nothing and decides nothing."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.between_phases: List[Callable[[], None]] = []  # called as a test begins, and after each of its phases
        self.after_test: List[Callable[[], None]] = []

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("_pytest.config", self._watch_configuration)

    def _watch_configuration(self, config: Any) -> None:
        probe = self
        plugin = self._plugin(config.hookimpl)

        def configuring(original: Any) -> Any:
            def get_config(*args: Any, **kwargs: Any) -> Any:
                if CURRENT.test is None:
                    CURRENT.enter("configure", None)
                configured = original(*args, **kwargs)
                if probe.is_in_force:
                    configured.pluginmanager.register(plugin, "isolation-probes")
                return configured
            return get_config

        self._hooks.replace(config, "get_config", configuring)
        self.is_in_force = True
        self._hooks.on_removal(self._end)

    def _end(self) -> None:
        self.is_in_force = False

    def phase_ended(self) -> None:
        """A test has begun, or one of its phases is over."""
        for call in self.between_phases:
            call()

    def test_ended(self) -> None:
        """A test is over, whichever runner ran it."""
        for call in self.after_test:
            call()

    @quietly
    def _not_collected(self, report: Any) -> None:
        if report.outcome == "failed":
            self._recorder.plain(
                "outcome", test=report.nodeid, when="collect", outcome="failed", message=_message(report),
            )

    @quietly
    def _reported(self, report: Any) -> None:
        if hasattr(report, "node"):  # pytest-xdist tells the controller again what its worker has told
            return
        if report.when == "call" or report.outcome != "passed":
            self._recorder.plain(
                "outcome", test=report.nodeid, when=report.when, outcome=_outcome(report), message=_message(report),
                duration_s=report.duration,
            )

    def _plugin(self, hookimpl: "HookMarker") -> Any:
        probe = self

        class IsolationProbes:
            @hookimpl(hookwrapper=True, tryfirst=True)
            def pytest_cmdline_main(self) -> Iterator[None]:
                outer = CURRENT.phase, CURRENT.test, CURRENT.fixture, CURRENT.scope, CURRENT.collecting
                yield
                if outer[1] is not None:  # a test has run pytest itself
                    CURRENT.enter(*outer[:2])
                    CURRENT.fixture, CURRENT.scope, CURRENT.collecting = outer[2:]

            @hookimpl(tryfirst=True)
            def pytest_sessionstart(self) -> None:
                probe._hooks.catch_up()

            @hookimpl(hookwrapper=True, tryfirst=True)
            def pytest_collection(self) -> Iterator[None]:
                CURRENT.enter("collection", CURRENT.test)
                yield

            @hookimpl(hookwrapper=True, tryfirst=True)
            def pytest_make_collect_report(self, collector: Any) -> Iterator[None]:
                outer, CURRENT.collecting = CURRENT.collecting, collector.nodeid or None
                yield
                CURRENT.collecting = outer

            @hookimpl(tryfirst=True)
            def pytest_collectreport(self, report: Any) -> None:
                probe._not_collected(report)

            @hookimpl(hookwrapper=True, tryfirst=True)
            def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
                outer = CURRENT.test  # a test may run pytest itself
                _learn_parameters(item)
                CURRENT.enter("setup", item.nodeid)
                probe.phase_ended()
                yield
                probe.test_ended()
                CURRENT.enter("between", outer)

            @hookimpl(hookwrapper=True, tryfirst=True)
            def pytest_runtest_setup(self, item: Any) -> Iterator[None]:
                CURRENT.enter("setup", item.nodeid)
                yield
                probe.phase_ended()

            @hookimpl(hookwrapper=True, tryfirst=True)
            def pytest_runtest_call(self, item: Any) -> Iterator[None]:
                CURRENT.enter("call", item.nodeid)
                yield
                probe.phase_ended()

            @hookimpl(hookwrapper=True, tryfirst=True)
            def pytest_runtest_teardown(self, item: Any) -> Iterator[None]:
                CURRENT.enter("teardown", item.nodeid)
                yield
                probe.phase_ended()

            @hookimpl(hookwrapper=True, tryfirst=True)
            def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
                outer = CURRENT.fixture, CURRENT.scope
                CURRENT.fixture, CURRENT.scope = fixturedef.argname, str(fixturedef.scope)
                yield
                CURRENT.fixture, CURRENT.scope = outer

            @hookimpl(tryfirst=True)
            def pytest_runtest_logreport(self, report: Any) -> None:
                probe._reported(report)

            @hookimpl(tryfirst=True)
            def pytest_sessionfinish(self) -> None:
                if CURRENT.test is None:
                    CURRENT.enter("finish", None)

        return IsolationProbes()


@quietly
def _learn_parameters(item: Any) -> None:
    """Learn the secrets among a test's parameters, which are in its name: `test_login[hunter22]` of `password`."""
    parameters = attribute(attribute(item, "callspec"), "params")
    if type(parameters) is dict:
        learn_all(parameters)


def _outcome(report: Any) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    return str(report.outcome)


def _message(report: Any) -> Optional[str]:
    if report.outcome == "passed" or report.longrepr is None:
        return None
    crash = getattr(report.longrepr, "reprcrash", None)
    return beginning(str(crash.message if crash is not None else report.longrepr), MESSAGE_AT_MOST)
