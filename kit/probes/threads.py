"""Threads: the stack that started each, since a library's thread has no application frame on its own stack."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .frames import STARTED_BY, application_stack, current_thread, name_of_thread, running
from .hooks import Hooks
from .objects import Notes
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly

POOLS = ("ThreadPoolExecutor", "AnyIO worker thread", "asyncio_")  # worker threads of pools, which serve any caller
_under_sqlalchemy: "Notes[bool]" = Notes()


def is_under_sqlalchemy() -> bool:
    """Return whether SQLAlchemy started the current thread, as it does for aiosqlite."""
    thread = current_thread()
    return thread is not None and bool(_under_sqlalchemy.get(thread))


class ThreadProbe:
    """Records for each new thread the stack that started it."""

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
        if not name_of_thread(thread).startswith(POOLS):
            STARTED_BY.set(thread, application_stack())
            _under_sqlalchemy.set(thread, running("sqlalchemy") is not None)
