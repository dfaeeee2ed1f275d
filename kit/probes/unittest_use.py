"""unittest run by itself: which test is under way, and how it ended. What pytest runs, pytest tells of."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

from .context import CURRENT
from .hooks import Hooks
from .own import os, sys, time
from .own import own_builtins as __builtins__  # noqa: F401
from .pytest_use import MESSAGE_AT_MOST
from .recorder import Recorder

_LISTS = {  # of a result, with how a test ended that adds to them
    "errors": "failed", "failures": "failed", "unexpectedSuccesses": "xpassed", "expectedFailures": "xfailed",
    "skipped": "skipped",
}


class UnittestProbe:
    """Each test is known as pytest would call it: file::Class::method."""

    def __init__(self, recorder: Recorder, phase_ended: Callable[[], None], test_ended: Callable[[], None]) -> None:
        self._recorder, self._phase_ended, self._test_ended = recorder, phase_ended, test_ended
        self._folder = os.getcwd()

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("unittest.case", self._watch_tests)
        hooks.when_imported("unittest.loader", self._watch_loading)

    def _watch_tests(self, case: Any) -> None:
        probe = self

        def running(original: Any) -> Any:
            def run(test: Any, result: Any = None) -> Any:
                if CURRENT.test is not None:  # pytest's, or a process of another test
                    return original(test, result)
                return probe._run(original, test, result)
            return run

        self._hooks.replace(case.TestCase, "run", running)

    def _run(self, original: Any, test: Any, result: Any) -> Any:
        name, began_s, before = name_of(test, self._folder), time.perf_counter(), _counted(result)
        CURRENT.enter("call", name)
        self._phase_ended()
        try:
            result = original(test, result)
        finally:
            self._phase_ended()
            self._test_ended()
            CURRENT.enter("setup", None)  # of a class, or a module, where it is anything's
        outcome, message = _outcome(before, result)
        self._recorder.plain(
            "outcome", test=name, when="call", outcome=outcome, message=message,
            duration_s=time.perf_counter() - began_s,
        )
        return result

    def _watch_loading(self, loader: Any) -> None:
        def loading(original: Any) -> Any:
            def load(*args: Any, **kwargs: Any) -> Any:
                if CURRENT.phase != "start":
                    return original(*args, **kwargs)
                CURRENT.enter("collection", CURRENT.test)
                try:
                    return original(*args, **kwargs)
                finally:
                    CURRENT.enter("start", CURRENT.test)
            return load

        for name in ("discover", "loadTestsFromNames", "loadTestsFromModule"):
            self._hooks.replace(loader.TestLoader, name, loading)


def name_of(test: Any, folder: str) -> str:
    """Return what pytest would call a test that it is given from a folder."""
    kind = type(test)
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if not isinstance(file, str) or kind.__module__.startswith("unittest."):  # of a module that cannot be imported
        return str(test.id())
    inside = os.path.relpath(file, folder).replace(os.sep, "/")
    return f"{inside}::{kind.__qualname__}::{getattr(test, '_testMethodName', 'run')}"


def _counted(result: Any) -> Dict[str, int]:
    return {name: len(getattr(result, name, ())) for name in _LISTS}


def _outcome(before: Dict[str, int], result: Any) -> Tuple[str, Optional[str]]:
    """How a test ended that a result has told of since, and the last line of why."""
    for name, outcome in _LISTS.items():
        told: List[Any] = list(getattr(result, name, ())[before[name]:])
        if told:
            why = told[0][1] if isinstance(told[0], tuple) else ""
            return outcome, str(why).strip().rpartition("\n")[2][:MESSAGE_AT_MOST] or None
    return "passed", None
