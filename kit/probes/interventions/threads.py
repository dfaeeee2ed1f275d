"""Interventions on what a thread is started with."""

from __future__ import annotations

from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from ..frames import application_stack
from ..own import own_builtins as __builtins__  # noqa: F401
from .base import Intervention, Rerun


@dataclass(frozen=True)
class HandOnContext(Intervention):
    """A thread that the project starts runs in a copy of the context of the code that starts it."""

    op = "hand-on-context"

    @property
    def label(self) -> str:
        return "with each thread in the context of the code that starts it"

    def apply(self, rerun: Rerun) -> None:
        def starting(original: Any) -> Any:
            def start(thread: Any) -> None:
                if application_stack():
                    rerun.record_effect()
                    context, run = copy_context(), thread.run
                    thread.run = lambda: context.run(run)
                original(thread)

            return start

        rerun.hooks.when_imported("threading", lambda module: rerun.hooks.replace(module.Thread, "start", starting))
