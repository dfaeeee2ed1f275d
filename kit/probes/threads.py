"""Threads: whose code started one, for a library's thread has no frame of the application's on its own stack."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .frames import STARTED_BY, application_stack, current_thread, name_of_thread, running
from .hooks import Hooks
from .objects import Notes
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly

_POOLS = ("ThreadPoolExecutor", "AnyIO worker thread", "asyncio_")  # their threads serve whoever comes
_under_sqlalchemy: "Notes[bool]" = Notes()


def is_under_sqlalchemy() -> bool:
    """Tell whether SQLAlchemy started the thread that runs, as it does through aiosqlite."""
    thread = current_thread()
    return thread is not None and bool(_under_sqlalchemy.get(thread))


class ThreadProbe:
    """Notes of each new thread who started it."""

    def install(self, hooks: Hooks) -> None:
        hooks.when_imported("threading", lambda threading: self._watch(hooks, threading))

    def _watch(self, hooks: Hooks, threading: ModuleType) -> None:
        probe = self

        def starting(original: Any) -> Any:
            def start(thread: Any) -> None:
                probe._note(thread)
                original(thread)
            return start

        hooks.replace(threading.Thread, "start", starting)

    @quietly
    def _note(self, thread: Any) -> None:
        if not name_of_thread(thread).startswith(_POOLS):
            STARTED_BY.set(thread, application_stack())
            _under_sqlalchemy.set(thread, running("sqlalchemy") is not None)
