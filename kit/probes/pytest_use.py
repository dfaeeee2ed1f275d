"""pytest: the current test, its phase and its outcome."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Optional, Protocol, Tuple, TypeVar

from .context import CURRENT
from .error_text import recorded
from .hooks import Hooks, out_of_traceback
from .objects import attribute, held_by
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly
from .recorder import Recorder
from .redact import learn_all, without_secrets

_NEXT = {"setup": "call", "call": "teardown"}  # phase -> the next one, if it passed

Hook = TypeVar("Hook", bound=Callable[..., Any])


class HookMarker(Protocol):
    """pytest's hookimpl decorator."""

    def __call__(self, *, tryfirst: bool = False, hookwrapper: bool = False) -> Callable[[Hook], Hook]: ...


class PytestProbe:
    """Registers a plugin when pytest configures itself; the plugin prints nothing and changes no outcome."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.between_phases: List[Callable[[], None]] = []  # called at a test's start and after each phase
        self.after_test: List[Callable[[], None]] = []
        self.after_interrupt: List[Callable[[BaseException], None]] = []
        self.after_fixture: List[Callable[[str, Any, Any], None]] = []  # name, function, value
        self._item: Any = None  # the current test
        self._controls = False  # pytest-xdist's controller: only its workers know the secrets in test ids

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
        """Return a tuple with the function of the current test, empty without one."""
        found = held_by(self._item).get("_obj") if self._item is not None else None
        return () if found is None else (found,)

    def phase_ended(self) -> None:
        """Call the listeners at the start of a test, and at the end of each of its phases."""
        for call in self.between_phases:
            call()

    def test_ended(self) -> None:
        """Call the listeners at the end of a test of any runner."""
        for call in self.after_test:
            call()

    @quietly
    def _interrupted(self, excinfo: Any) -> None:
        if issubclass(type(excinfo.value), KeyboardInterrupt):  # else `pytest.exit`
            for call in self.after_interrupt:
                call(excinfo.value)

    @quietly
    def _not_collected(self, report: Any) -> None:
        if report.outcome == "failed":
            message = _message(report)
            if self._controls and message is not None:
                message = message.partition("\n")[0]  # the ids that follow can contain secrets
            self._recorder.plain("outcome", test=report.nodeid, when="collect", outcome="failed", message=message)

    @quietly
    def _reported(self, report: Any) -> None:
        if hasattr(report, "node"):  # pytest-xdist repeats a worker's report in the controller
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
                if outer[1] is not None:  # pytest was run by a test
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
                outer = CURRENT.test  # a test can run pytest
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
                """End a phase. A wrapper around the phase could do so, too, but its frames would show in tracebacks."""
                probe.phase_ended()
                if call.when in _NEXT:
                    CURRENT.enter(_NEXT[call.when] if call.excinfo is None else "teardown", item.nodeid)

            @hookimpl(tryfirst=True)
            def pytest_runtest_logreport(self, report: Any) -> None:
                probe._reported(report)

            @hookimpl(tryfirst=True)
            def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
                probe._interrupted(excinfo)

            @hookimpl(tryfirst=True)
            def pytest_sessionfinish(self) -> None:
                if CURRENT.test is None:
                    CURRENT.enter("finish", None)

        return IsolationProbes()


def id_in_record(item: Any) -> str:
    """Return a test's id as in the record: secrets among its parameters are masked."""
    learn_parameters(item)
    return str(without_secrets({"test": item.nodeid})["test"])


@quietly
def learn_parameters(item: Any) -> None:
    """Learn the secrets among a test's parameters, which its id contains: `test_login[hunter22]` of `password`."""
    parameters = attribute(attribute(item, "callspec"), "params")
    if type(parameters) is dict:
        learn_all(parameters)


def _outcome(report: Any) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    return str(report.outcome)


def _raised(report: Any) -> Dict[str, str]:
    """Return the location that raised the error of a failed test, as a field of its outcome."""
    crash = getattr(report.longrepr, "reprcrash", None) if report.outcome == "failed" else None
    return {} if crash is None else {"at": f"{crash.path}:{crash.lineno}"}


def _message(report: Any) -> Optional[str]:
    if report.outcome == "passed" or report.longrepr is None:
        return None
    crash = getattr(report.longrepr, "reprcrash", None)
    return recorded(str(crash.message if crash is not None else report.longrepr))
