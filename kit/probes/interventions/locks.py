"""Interventions on transactions that hold locks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..databases import Connection, Databases, Listener
from ..frames import Stack, application_stack
from ..own import os
from ..own import own_builtins as __builtins__  # noqa: F401
from ..statements import Statement
from .base import File, Intervention, Rerun


@dataclass(frozen=True)
class EndFirst(Intervention):
    """The transaction of a line is rolled back before a statement of another line, which waits for its locks.

    It has no effect on a transaction of an asynchronous driver, which only its own event loop can end.
    """

    op = "end-first"
    file: File
    line: int
    waiting_file: File
    waiting_line: int

    @property
    def label(self) -> str:
        where, waits = f"{self.file}:{self.line}", f"{self.waiting_file}:{self.waiting_line}"
        return f"with the transaction of {where} rolled back before {waits}"

    def apply(self, rerun: Rerun) -> None:
        rerun.listening.append(lambda databases: databases.listen(_Ending(self, rerun, databases)))


class _Ending(Listener):
    def __init__(self, wanted: EndFirst, rerun: Rerun, databases: Databases) -> None:
        self._holding = os.path.realpath(wanted.file), wanted.line
        self._waiting = os.path.realpath(wanted.waiting_file), wanted.waiting_line
        self._rerun, self._databases = rerun, databases

    def wrote(self, connection: Connection, statement: Statement, text: str) -> None:
        if not _is_at(application_stack(), self._waiting):
            return
        for holder, _, stack in list(self._databases.holders(connection, statement)):
            held: Any = holder.pointer() if holder.pointer is not None else None
            if held is not None and _is_at(stack, self._holding) and not _is_asynchronous(held):
                self._rerun.record_effect()
                held.rollback()


def _is_at(stack: Stack, where: Any) -> bool:
    return bool(stack) and (os.path.realpath(stack[0][0]), stack[0][1]) == where


def _is_asynchronous(held: Any) -> bool:
    code = getattr(getattr(type(held), "rollback", None), "__code__", None)
    return not hasattr(held, "rollback") or (code is not None and bool(code.co_flags & _COROUTINE))


_COROUTINE = 0x80  # inspect.CO_COROUTINE
