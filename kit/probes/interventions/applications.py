"""Interventions on the application outside of requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..own import own_builtins as __builtins__  # noqa: F401
from .base import Intervention, Rerun, TakenAway


@dataclass(frozen=True)
class NoLifespan(Intervention):
    """Applications do not run their lifespan."""

    op = "no-lifespan"

    @property
    def label(self) -> str:
        return "without the application's lifespan"

    @property
    def takes_away(self) -> TakenAway:
        return TakenAway(route="lifespan")

    def apply(self, rerun: Rerun) -> None:
        async def nothing(app: Any) -> Any:
            rerun.record_effect()
            yield

        def watch(routing: Any) -> None:
            from contextlib import asynccontextmanager

            def serving(original: Any) -> Any:
                async def lifespan(router: Any, scope: Any, receive: Any, send: Any) -> None:
                    router.lifespan_context = asynccontextmanager(nothing)
                    await original(router, scope, receive, send)
                return lifespan

            rerun.hooks.replace(routing.Router, "lifespan", serving)

        rerun.hooks.when_imported("starlette.routing", watch)
