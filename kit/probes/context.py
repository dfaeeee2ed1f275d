"""What is under way at this moment: which test, in which phase, and which request.

The test and its phase belong to the process (pytest runs one test at a time); the request belongs to a flow of
control, and follows it into tasks and worker threads by a context variable.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any, Dict, List, Optional, Tuple


class Request:
    """One request, lifespan or background task on its way through an application."""

    __slots__ = ("app", "keep", "method", "number", "path", "stage", "supplied")

    def __init__(self, number: str, app: Optional[str], stage: str, method: str, path: str) -> None:
        self.number, self.app, self.stage, self.method, self.path = number, app, stage, method, path
        self.supplied: Dict[int, Tuple[str, Optional[str]]] = {}  # id of a value -> dependency, override or None
        self.keep: List[Any] = []  # the supplied values, so that no id is used again while the request lives


class Current:
    """The test under way in this process. `phase` is one of the words below.

    `start` before pytest, or in a program without it; `configure` while plugins and conftests are loaded; `collection`;
    `setup`, `call`, `teardown` of a test; `finish` after the last.
    """

    __slots__ = ("collecting", "fixture", "phase", "test")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.test: Optional[str] = None
        self.phase = "start"
        self.fixture: Optional[str] = None
        self.collecting: Optional[str] = None

    def fields(self) -> Dict[str, Any]:
        """The context as an event's fields; what is not under way is left out."""
        found: Dict[str, Any] = {"phase": self.phase}
        for name in ("test", "fixture", "collecting"):
            value = getattr(self, name)
            if value is not None:
                found[name] = value
        request = REQUEST.get()
        if request is not None:
            found["request"] = request.number
            if request.stage != "http":
                found["stage"] = request.stage
        thread = threading.current_thread()
        if thread is not threading.main_thread():
            found["thread"] = thread.name
        return found


CURRENT = Current()
REQUEST: "ContextVar[Optional[Request]]" = ContextVar("request_under_way", default=None)
