"""Changes of what an application does around its requests."""

from __future__ import annotations

from typing import Any

from ..own import own_builtins as __builtins__  # noqa: F401
from .change import Change
from .named import name_of


def no_lifespan(change: Change) -> None:
    """Applications do not run their lifespan."""
    async def nothing(app: Any) -> Any:
        change.took_hold()
        yield

    def watch(routing: Any) -> None:
        from contextlib import asynccontextmanager

        def serving(original: Any) -> Any:
            async def lifespan(router: Any, scope: Any, receive: Any, send: Any) -> None:
                router.lifespan_context = asynccontextmanager(nothing)
                await original(router, scope, receive, send)
            return lifespan

        change.hooks.replace(routing.Router, "lifespan", serving)

    change.hooks.when_imported("starlette.routing", watch)


def no_background(change: Change) -> None:
    """A background task is not run."""
    def running(original: Any) -> Any:
        async def __call__(task: Any) -> None:
            if _is_called(getattr(task, "func", None), change.fields["function"]):
                change.took_hold()
            else:
                await original(task)
        return __call__

    change.hooks.when_imported(
        "starlette.background", lambda module: change.hooks.replace(module.BackgroundTask, "__call__", running)
    )


def _is_called(function: Any, name: str) -> bool:
    function = getattr(function, "func", function)  # out of functools.partial
    return getattr(function, "__name__", None) == name or name_of(function) == name
