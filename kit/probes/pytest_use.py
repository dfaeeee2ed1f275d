"""pytest: which test is under way, in which phase, and how it ended."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Optional, Protocol, Tuple, TypeVar

from .context import CURRENT
from .hooks import Hooks, out_of_traceback
from .objects import attribute, held_by
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly
from .recorder import Recorder
from .redact import beginning, learn_all, without_secrets

MESSAGE_AT_MOST = 400  # characters
_NEXT = {"setup": "call", "call": "teardown"}  # the phase that follows one that has not failed

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
        self.after_fixture: List[Callable[[str, Any, Any], None]] = []  # its name, its function, what it gave
        self._item: Any = None  # the test under way
        self._controls = False  # workers of pytest-xdist run the tests, and know what in their ids is secret

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("_pytest.config", self._watch_configuration)
        hooks.when_imported("_pytest.fixtures", self._watch_fixtures)

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

    def _watch_fixtures(self, fixtures: Any) -> None:
        probe = self

        def calling(original: Any) -> Any:
            def call_fixture_func(fixturefunc: Any, request: Any, kwargs: Any) -> Any:
                __tracebackhide__ = True
                outer = CURRENT.fixture, CURRENT.scope
                CURRENT.fixture, CURRENT.scope = request.fixturename, str(request.scope)
                try:
                    given = original(fixturefunc, request, kwargs)
                    for call in probe.after_fixture:
                        call(request.fixturename, fixturefunc, given)
                    return given
                except BaseException as error:
                    out_of_traceback(error)
                    raise
                finally:
                    CURRENT.fixture, CURRENT.scope = outer
            return call_fixture_func

        self._hooks.replace(fixtures, "call_fixture_func", calling)

    def _end(self) -> None:
        self.is_in_force = False

    @quietly
    def functions(self) -> Tuple[Any, ...]:
        """Return the function of the test under way, where it has one."""
        found = held_by(self._item).get("_obj") if self._item is not None else None
        return () if found is None else (found,)

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
            message = _message(report)
            if self._controls and message is not None:
                message = message.partition("\n")[0]  # ids follow, where workers have collected different tests
            self._recorder.plain("outcome", test=report.nodeid, when="collect", outcome="failed", message=message)

    @quietly
    def _reported(self, report: Any) -> None:
        if hasattr(report, "node"):  # pytest-xdist tells the controller again what its worker has told
            return
        if report.when == "call" or report.outcome != "passed":
            self._recorder.plain(
                "outcome", test=report.nodeid, when=report.when, outcome=_outcome(report), message=_message(report),
                duration_s=report.duration, **_raised(report),
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
            def pytest_sessionstart(self, session: Any) -> None:
                probe._controls = session.config.pluginmanager.hasplugin("dsession")
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
                learn_parameters(item)
                CURRENT.enter("setup", item.nodeid)
                probe.phase_ended()
                probe._item = item
                yield
                probe.test_ended()
                probe._item = None
                CURRENT.enter("between", outer)

            @hookimpl(tryfirst=True)
            def pytest_runtest_call(self, item: Any) -> None:
                CURRENT.enter("call", item.nodeid)

            @hookimpl(tryfirst=True)
            def pytest_runtest_teardown(self, item: Any) -> None:
                CURRENT.enter("teardown", item.nodeid)

            @hookimpl(tryfirst=True)
            def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
                """A phase is over. No wrapper reports that, whose frames would be in what a failure shows."""
                probe.phase_ended()
                if call.when in _NEXT:
                    CURRENT.enter(_NEXT[call.when] if call.excinfo is None else "teardown", item.nodeid)

            @hookimpl(tryfirst=True)
            def pytest_runtest_logreport(self, report: Any) -> None:
                probe._reported(report)

            @hookimpl(tryfirst=True)
            def pytest_sessionfinish(self) -> None:
                if CURRENT.test is None:
                    CURRENT.enter("finish", None)

        return IsolationProbes()


def id_in_record(item: Any) -> str:
    """Return a test's id as the record has it: without the secrets among its parameters."""
    learn_parameters(item)
    return str(without_secrets({"test": item.nodeid})["test"])


@quietly
def learn_parameters(item: Any) -> None:
    """Learn the secrets among a test's parameters, which are in its name: `test_login[hunter22]` of `password`."""
    parameters = attribute(attribute(item, "callspec"), "params")
    if type(parameters) is dict:
        learn_all(parameters)


def _outcome(report: Any) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    return str(report.outcome)


def _raised(report: Any) -> Dict[str, str]:
    """Return the line that raised the error of a test that failed, as a field of its outcome."""
    crash = getattr(report.longrepr, "reprcrash", None) if report.outcome == "failed" else None
    return {} if crash is None else {"at": f"{crash.path}:{crash.lineno}"}


def _message(report: Any) -> Optional[str]:
    if report.outcome == "passed" or report.longrepr is None:
        return None
    crash = getattr(report.longrepr, "reprcrash", None)
    return beginning(str(crash.message if crash is not None else report.longrepr), MESSAGE_AT_MOST)
