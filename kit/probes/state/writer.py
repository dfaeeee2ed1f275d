"""Finds the lines that write entries of state, by comparing the entries before each line that runs."""

from __future__ import annotations

from contextlib import contextmanager
from types import FrameType
from typing import Any, Callable, Dict, Iterator, List, Tuple

from ..frames import APPLICATION, absolute, owner
from ..own import os, sys, threading
from ..own import own_builtins as __builtins__  # noqa: F401
from ..quiet import is_of_a_signals_handler
from .values import Holder, frozen, token

Line = Tuple[str, int, str]  # file, line, function

_LINES_KEPT = 12
_WRITES_KEPT = 20  # for one entry
_UNREAD = object()
_PROBES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")


class Writer:
    """Watches entries while a test runs. `writes` has the stacks that wrote each, in order, innermost line first."""

    def __init__(self) -> None:
        self.writes: Dict[str, List[Tuple[Line, ...]]] = {}
        self._entries: List[Tuple[str, Callable[[], Any], Any]] = []
        self._stacks: Dict[int, List[List[Any]]] = {}  # thread -> (frame, line), outermost first
        self._before: Any = None
        self._is_on = False

    def watch(self, place: str, holder: Holder, label: str) -> None:
        """Watch an entry from now on."""
        ask = holder.asker(label)
        self._entries.append((place, ask, _current_key(ask)))

    def begin(self) -> None:
        """Start to trace this thread and new ones, from the next call on."""
        self._before, self._is_on = sys.gettrace(), True
        of_threads = sys.modules.get("threading")
        if of_threads is not None:
            of_threads.settrace(self._called)
        sys.settrace(self._called)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not follow what runs meanwhile: a comparison of state reads a great many objects."""
        was_on = self._is_on
        if was_on:
            sys.settrace(None)
        try:
            yield
        finally:
            if was_on:
                sys.settrace(self._called)

    def end(self) -> None:
        """Stop tracing."""
        self._is_on = False
        sys.settrace(self._before)
        of_threads = sys.modules.get("threading")
        if of_threads is not None:
            of_threads.settrace(None)
        self._look()

    def _stack(self) -> List[List[Any]]:
        return self._stacks.setdefault(threading.get_ident(), [])

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename.startswith(_PROBES):  # what a probe does is no line of the program's
            return None
        stack = self._stack()
        below = stack and _is_program(stack[-1][0]) and not _is_program(frame)
        if not below or len(self._stacks) > 1:  # else the program's next line sees what has changed
            self._look()
        if below:  # keep the program's line
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
            now = _current_key(ask)
            if now != before and now is not _UNREAD:
                self._entries[number] = place, ask, now
                written = self.writes.setdefault(place, [])
                written.append(self._lines())
                del written[:-_WRITES_KEPT]

    def _lines(self) -> Tuple[Line, ...]:
        """Return the application's lines on the stack, innermost first; without any, those of libraries."""
        every = [(frame, line) for frame, line in reversed(self._stack())]
        mine = [(frame, line) for frame, line in every if _is_program(frame)]
        return tuple(
            (absolute(frame.f_code.co_filename), line, frame.f_code.co_name)
            for frame, line in (mine or every)[:_LINES_KEPT]
        )


def _is_program(frame: FrameType) -> bool:
    return owner(frame.f_code.co_filename) is APPLICATION


def _current_key(ask: Callable[[], Any]) -> Any:
    """Return the key of an entry's value; _UNREAD if it cannot be read now, since another thread changes it."""
    try:
        return token(frozen(ask()))
    except Exception as error:  # an exception here would reach the program
        if is_of_a_signals_handler(error):
            raise
        return _UNREAD
