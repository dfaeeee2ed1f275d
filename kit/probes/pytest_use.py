"""pytest: which test is under way, in which phase, and how it ended."""

from __future__ import annotations

from typing import Any, Iterator, Optional

from .context import CURRENT
from .hooks import Hooks
from .recorder import Recorder

_MESSAGE_AT_MOST = 400  # characters


class PytestProbe:
    """A plugin that pytest is given as it configures itself; it prints nothing and decides nothing."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("_pytest.config", self._watch_configuration)

    def _watch_configuration(self, config: Any) -> None:
        plugin = _plugin(self._recorder, self._hooks, config.hookimpl)

        def configuring(original: Any) -> Any:
            def get_config(*args: Any, **kwargs: Any) -> Any:
                CURRENT.phase = "configure"
                configured = original(*args, **kwargs)
                configured.pluginmanager.register(plugin, "isolation-probes")
                return configured
            return get_config

        self._hooks.replace(config, "get_config", configuring)


def _plugin(recorder: Recorder, hooks: Hooks, hookimpl: Any) -> Any:
    class IsolationProbes:
        @hookimpl(tryfirst=True)
        def pytest_sessionstart(self) -> None:
            hooks.catch_up()

        @hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_collection(self) -> Iterator[None]:
            CURRENT.phase = "collection"
            yield

        @hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_make_collect_report(self, collector: Any) -> Iterator[None]:
            outer, CURRENT.collecting = CURRENT.collecting, collector.nodeid or None
            yield
            CURRENT.collecting = outer

        @hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
            CURRENT.test = item.nodeid
            yield
            CURRENT.test, CURRENT.phase = None, "between"

        @hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_setup(self) -> Iterator[None]:
            CURRENT.phase = "setup"
            yield

        @hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_call(self) -> Iterator[None]:
            CURRENT.phase = "call"
            yield

        @hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_teardown(self) -> Iterator[None]:
            CURRENT.phase = "teardown"
            yield

        @hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
            outer, CURRENT.fixture = CURRENT.fixture, fixturedef.argname
            yield
            CURRENT.fixture = outer

        @hookimpl(tryfirst=True)
        def pytest_runtest_logreport(self, report: Any) -> None:
            if hasattr(report, "node"):  # pytest-xdist tells the controller again what its worker has told
                return
            if report.when == "call" or report.outcome != "passed":
                recorder.plain(
                    "outcome", test=report.nodeid, when=report.when, outcome=_outcome(report),
                    message=_message(report), duration_s=report.duration,
                )

        @hookimpl(tryfirst=True)
        def pytest_sessionfinish(self) -> None:
            CURRENT.phase = "finish"

    return IsolationProbes()


def _outcome(report: Any) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    return str(report.outcome)


def _message(report: Any) -> Optional[str]:
    crash = getattr(report.longrepr, "reprcrash", None)
    if report.outcome == "passed" or report.longrepr is None:
        return None
    return str(crash.message if crash is not None else report.longrepr)[:_MESSAGE_AT_MOST]
