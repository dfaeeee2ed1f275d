"""unittest without pytest: the current test, and its outcome. For tests that pytest runs, see `pytest_use`."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

from .context import CURRENT
from .error_text import of_traceback
from .hooks import Hooks, out_of_traceback
from .objects import attribute, held_by, module_of, qualname_of, text_of
from .objects import name_of as name_of_class
from .own import os, sys, time
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly
from .recorder import Recorder

_LISTS = {  # attributes of a TestResult, with the outcome of a test that appends to them
    "errors": "failed", "failures": "failed", "unexpectedSuccesses": "xpassed", "expectedFailures": "xfailed",
    "skipped": "skipped",
}


_Begun = Tuple[str, float, Dict[str, int]]  # test name, start time, lengths of the result's lists


class UnittestProbe:
    """Names each test as pytest would: file::Class::method."""

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
                # If a test is current already, pytest runs this one, or another test started this process.
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
        CURRENT.enter("setup", None)  # what follows can be the fixture of a class or module
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
    """Return the id that pytest would give a test when run from `folder`."""
    kind = type(test)
    file = held_by(sys.modules.get(module_of(kind))).get("__file__")
    method = text_of(attribute(test, "_testMethodName", "run"))
    if type(file) is not str or module_of(kind).startswith("unittest."):  # a failed import
        return f"{name_of_class(kind)}.{method}"
    inside = os.path.relpath(file, folder).replace(os.sep, "/")
    return f"{inside}::{qualname_of(kind)}::{method}"


def _counted(result: Any) -> Dict[str, int]:
    return {name: len(_list(result, name)) for name in _LISTS}


def _list(result: Any, name: str) -> List[Any]:
    """Return a list of a result; a custom result class can hold something else under that name."""
    found = attribute(result, name)
    return found if type(found) is list else []


def _outcome(before: Dict[str, int], result: Any) -> Tuple[str, Optional[str]]:
    """Return how a test ended, from what its result has gained since `before`, and the error below its traceback."""
    for name, outcome in _LISTS.items():
        told = _list(result, name)[before[name]:]
        if told:
            why = text_of(told[0][1]) if type(told[0]) is tuple else None
            return outcome, of_traceback(why or "") or None
    return "passed", None
