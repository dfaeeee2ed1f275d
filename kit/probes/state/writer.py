"""Which line wrote an entry: what the entries hold is compared before each line that runs."""

from __future__ import annotations

from types import FrameType
from typing import Any, Callable, Dict, List, Tuple

from ..frames import APPLICATION, absolute, owner
from ..own import own_builtins as __builtins__  # noqa: F401
from ..own import sys, threading
from ..quiet import is_of_a_signals_handler
from .values import Holder, frozen, token

Line = Tuple[str, int, str]  # file, line, function

_LINES_KEPT = 12
_WRITES_KEPT = 20  # of one entry
_UNREAD = object()


class Writer:
    """Watches entries while a test runs. `writes` has the lines that wrote each, in order, the innermost line first."""

    def __init__(self) -> None:
        self.writes: Dict[str, List[Tuple[Line, ...]]] = {}
        self._entries: List[Tuple[str, Callable[[], Any], Any]] = []
        self._stacks: Dict[int, List[List[Any]]] = {}  # of each thread: frame and line, outermost first
        self._before: Any = None

    def watch(self, place: str, holder: Holder, label: str) -> None:
        """Watch an entry from now on."""
        ask = holder.asker(label)
        self._entries.append((place, ask, _held_now(ask)))

    def begin(self) -> None:
        """Follow the lines that run, in this thread and in those that are started, from the next call on."""
        self._before = sys.gettrace()
        of_threads = sys.modules.get("threading")
        if of_threads is not None:
            of_threads.settrace(self._called)
        sys.settrace(self._called)

    def end(self) -> None:
        """Follow them no longer."""
        sys.settrace(self._before)
        of_threads = sys.modules.get("threading")
        if of_threads is not None:
            of_threads.settrace(None)
        self._look()

    def _stack(self) -> List[List[Any]]:
        return self._stacks.setdefault(threading.get_ident(), [])

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        self._look()
        stack = self._stack()
        if stack and _is_program(stack[-1][0]) and not _is_program(frame):  # the program's line is the one to name
            return None
        stack.append([frame, frame.f_lineno])
        return self._ran

    def _ran(self, frame: FrameType, event: str, argument: Any) -> Any:
        self._look()
        stack = self._stack()
        if event == "return":
            while stack and stack.pop()[0] is not frame:
                continue
        elif stack and stack[-1][0] is frame:
            stack[-1][1] = frame.f_lineno
        return self._ran

    def _look(self) -> None:
        for number, (place, ask, before) in enumerate(self._entries):
            now = _held_now(ask)
            if now != before and now is not _UNREAD:
                self._entries[number] = place, ask, now
                written = self.writes.setdefault(place, [])
                written.append(self._lines())
                del written[:-_WRITES_KEPT]

    def _lines(self) -> Tuple[Line, ...]:
        """Return the application's lines that are running, innermost first; a library's where there is none."""
        every = [(frame, line) for frame, line in reversed(self._stack())]
        mine = [(frame, line) for frame, line in every if _is_program(frame)]
        return tuple(
            (absolute(frame.f_code.co_filename), line, frame.f_code.co_name)
            for frame, line in (mine or every)[:_LINES_KEPT]
        )


def _is_program(frame: FrameType) -> bool:
    return owner(frame.f_code.co_filename) is APPLICATION


def _held_now(ask: Callable[[], Any]) -> Any:
    """Return what tells an entry's value from another; _UNREAD where another thread changes it at this moment."""
    try:
        return token(frozen(ask()))
    except Exception as error:  # the program's own lines are running: nothing may be raised into them
        if is_of_a_signals_handler(error):
            raise
        return _UNREAD
