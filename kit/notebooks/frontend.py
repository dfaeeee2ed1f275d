"""Whether somebody is at a running notebook who can click, and how far a long run has come, for those who wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

_AFTER_S = 1.0  # what is over sooner needs no progress
_EVERY_S = 0.3

Tell = Callable[[object], None]


def shell() -> Any:
    """Return the running IPython, or None. A notebook has imported it already; a script pays nothing."""
    import sys

    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def attended() -> bool:
    """Whether somebody is there to click: a frontend that has people allows a cell to ask for input, papermill none."""
    kernel = getattr(shell(), "kernel", None)
    parent = kernel.get_parent() if kernel is not None else None
    return bool((parent or {}).get("content", {}).get("allow_stdin", False))


@contextmanager
def progress_shown() -> Iterator[Tell | None]:
    """Give what shows progress in the running cell, in one line that changes; None where nobody is there to see it.

    The line stays, and says how far it came, also where the cell was interrupted.
    """
    if not attended():
        yield None
        return
    line = _Line()
    try:
        yield line.tell
    except BaseException:
        line.end("stopped after ")
        raise
    line.end("")


class _Line:
    """One line of a cell's output. The last words are those of the last that was told."""

    def __init__(self) -> None:
        self._began = self._shown = time.monotonic()
        self._handle: Any = None
        self._last = ""

    def tell(self, progress: object) -> None:
        now, self._last = time.monotonic(), str(progress)
        if now - self._began >= _AFTER_S and now - self._shown >= _EVERY_S:
            self._shown = now
            self._show(self._last)

    def end(self, before: str) -> None:
        if self._handle is not None:
            self._show(f"{before}{self._last}")

    def _show(self, text: str) -> None:
        from IPython.display import HTML, display

        made = HTML(f'<div role="status" style="opacity:.75;padding:0 .4em">{escape(text)}</div>')  # type: ignore[no-untyped-call]
        if self._handle is None:
            self._handle = display(made, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(made)
