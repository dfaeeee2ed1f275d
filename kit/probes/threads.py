"""Threads: whose code started one, for a library's thread has no frame of the application's on its own stack."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .frames import STARTED_BY, application_stack, running
from .hooks import Hooks
from .own import own_builtins as __builtins__  # noqa: F401

UNDER_SQLALCHEMY = "_isolation_probes_under_sqlalchemy"
_POOLS = ("ThreadPoolExecutor", "AnyIO worker thread", "asyncio_")  # their threads serve whoever comes


class ThreadProbe:
    """Writes on each new thread who started it."""

    def install(self, hooks: Hooks) -> None:
        hooks.when_imported("threading", lambda threading: self._watch(hooks, threading))

    def _watch(self, hooks: Hooks, threading: ModuleType) -> None:
        def starting(original: Any) -> Any:
            def start(thread: Any) -> None:
                if not thread.name.startswith(_POOLS):
                    vars(thread)[STARTED_BY] = application_stack()
                    vars(thread)[UNDER_SQLALCHEMY] = running("sqlalchemy") is not None
                original(thread)
            return start

        hooks.replace(threading.Thread, "start", starting)
