"""unittest run by itself: which test is under way, and how it ended. What pytest runs, pytest tells of."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

from .context import CURRENT
from .hooks import Hooks, out_of_traceback
from .objects import attribute, held_by, module_of, qualname_of, text_of
from .objects import name_of as name_of_class
from .own import os, sys, time
from .own import own_builtins as __builtins__  # noqa: F401
from .pytest_use import MESSAGE_AT_MOST
from .quiet import quietly
from .recorder import Recorder
from .redact import beginning

_LISTS = {  # of a result, with how a test ended that adds to them
    "errors": "failed", "failures": "failed", "unexpectedSuccesses": "xpassed", "expectedFailures": "xfailed",
    "skipped": "skipped",
}


_Begun = Tuple[str, float, Dict[str, int]]  # a test's name, when it began, how much its result held


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
                __tracebackhide__ = True
                # Where there is one, the test is pytest's, or this process another test's.
                begun = probe._begun(test, result) if CURRENT.test is None else None
                told = None
                try:
                    told = original(test, result)
                except BaseException as error:
                    out_of_traceback(error)
                    raise
                finally:
                    if begun is not None:
                        probe._ended(begun, told)
                return told
            return run

        self._hooks.replace(case.TestCase, "run", running)

    @quietly
    def _begun(self, test: Any, result: Any) -> _Begun:
        begun = name_of(test, self._folder), time.perf_counter(), _counted(result)
        CURRENT.enter("call", begun[0])
        self._phase_ended()
        return begun

    @quietly
    def _ended(self, begun: _Begun, result: Any) -> None:
        name, began_s, before = begun
        self._phase_ended()
        self._test_ended()
        CURRENT.enter("setup", None)  # of a class, or a module, where it is anything's
        if result is None:
            return
        outcome, message = _outcome(before, result)
        self._recorder.plain(
            "outcome", test=name, when="call", outcome=outcome, message=message,
            duration_s=time.perf_counter() - began_s,
        )

    def _watch_loading(self, loader: Any) -> None:
        def loading(original: Any) -> Any:
            def load(*args: Any, **kwargs: Any) -> Any:
                if CURRENT.phase != "start":
                    return original(*args, **kwargs)
                __tracebackhide__ = True
                CURRENT.enter("collection", CURRENT.test)
                try:
                    return original(*args, **kwargs)
                except BaseException as error:
                    out_of_traceback(error)
                    raise
                finally:
                    CURRENT.enter("start", CURRENT.test)
            return load

        for name in ("discover", "loadTestsFromNames", "loadTestsFromModule"):
            self._hooks.replace(loader.TestLoader, name, loading)


def name_of(test: Any, folder: str) -> str:
    """Return what pytest would call a test that it is given from a folder."""
    kind = type(test)
    file = held_by(sys.modules.get(module_of(kind))).get("__file__")
    method = text_of(attribute(test, "_testMethodName", "run"))
    if type(file) is not str or module_of(kind).startswith("unittest."):  # of a module that cannot be imported
        return f"{name_of_class(kind)}.{method}"
    inside = os.path.relpath(file, folder).replace(os.sep, "/")
    return f"{inside}::{qualname_of(kind)}::{method}"


def _counted(result: Any) -> Dict[str, int]:
    return {name: len(_list(result, name)) for name in _LISTS}


def _list(result: Any, name: str) -> List[Any]:
    """Return a list of a result's; a class of results can have something else in its place."""
    found = attribute(result, name)
    return found if type(found) is list else []


def _outcome(before: Dict[str, int], result: Any) -> Tuple[str, Optional[str]]:
    """How a test ended that a result has reported since, and the last line of why."""
    for name, outcome in _LISTS.items():
        told = _list(result, name)[before[name]:]
        if told:
            why = text_of(told[0][1]) if type(told[0]) is tuple else None
            return outcome, beginning((why or "").strip().rpartition("\n")[2], MESSAGE_AT_MOST) or None
    return "passed", None
