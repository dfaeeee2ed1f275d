"""The user in front of a running notebook: whether there is one who can click, and the progress of long cells."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

_AFTER_S = 1.0  # shorter work shows no progress
_EVERY_S = 0.3

Tell = Callable[[object], None]


def shell() -> Any:
    """Return the running IPython, or None. It is not imported for this, which would slow scripts down."""
    import sys

    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def attended() -> bool:
    """Whether a user can click: interactive frontends let cells ask for input (`allow_stdin`), papermill does not."""
    kernel = getattr(shell(), "kernel", None)
    parent = kernel.get_parent() if kernel is not None else None
    return bool((parent or {}).get("content", {}).get("allow_stdin", False))


@contextmanager
def progress_shown() -> Iterator[Tell | None]:
    """Yield a function that displays progress in the running cell, in one line; None if no user can see it.

    The line stays afterwards with the last progress, also when the cell was interrupted.
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
    """A line in a cell's output with the latest progress."""

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
