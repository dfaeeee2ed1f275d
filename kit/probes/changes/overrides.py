"""Changes of dependency overrides: applied where they were not, and to calls that go past them."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple
from weakref import WeakSet

from ..hooks import Hooks
from ..own import own_builtins as __builtins__  # noqa: F401
from ..own import types
from .change import Change
from .named import is_named


def apply_override(change: Change) -> None:
    """The override of one dependency is used for another, in every application."""
    apps = _Apps(change.hooks)
    kept: List[Any] = []

    def solving(original: Any) -> Any:
        async def solve_dependencies(**kwargs: Any) -> Any:
            provider = kwargs.get("dependency_overrides_provider")
            by = apps.override_named(change.fields["key"])
            if change.fields.get("kept"):
                kept[:] = [by] if by is not None else kept
                by = kept[0] if kept else None
            if by is not None:
                added = _declared(kwargs["dependant"], change.fields["to"], provider)
                if added:
                    change.took_hold()
                    kwargs["dependency_overrides_provider"] = _Provider(provider, dict.fromkeys(added, by))
            return await original(**kwargs)
        return solve_dependencies

    _around_solving(change, solving)


def redirect_call(change: Change) -> None:
    """A plain call of a dependency gives what its override gives."""
    apps = _Apps(change.hooks)
    redirected: Dict[Any, Any] = {}

    def solving(original: Any) -> Any:
        async def solve_dependencies(**kwargs: Any) -> Any:
            found = apps.key_named(change.fields["callable"])
            if found is not None and found not in redirected and isinstance(found, types.FunctionType):
                redirected[found] = _redirect(found, apps, change)
            return await original(**kwargs)
        return solve_dependencies

    _around_solving(change, solving)


_REDIRECTED: Dict[int, Callable[..., Any]] = {}


def _redirect(function: Any, apps: "_Apps", change: Change) -> bool:
    """Give a function other code, so that whoever holds it, under whatever name, calls its override."""
    if function.__code__.co_freevars:
        return False
    as_it_was = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__,
    )
    as_it_was.__kwdefaults__ = function.__kwdefaults__

    def instead(*args: Any, **kwargs: Any) -> Any:
        by = apps.override_of(function)
        if by is None:
            return as_it_was(*args, **kwargs)
        change.took_hold()
        return by()

    _REDIRECTED[id(function)] = instead
    code = compile(
        f"def call(*args, **kwargs):\n"
        f"    import sys\n"
        f"    return sys.modules[{__name__!r}]._REDIRECTED[{id(function)}](*args, **kwargs)\n",
        function.__code__.co_filename, "exec",
    )
    call = next(constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    before, function.__code__ = function.__code__, call.replace(co_firstlineno=function.__code__.co_firstlineno)
    change.hooks.on_removal(lambda: setattr(function, "__code__", before))
    return True


def _around_solving(change: Change, make: Callable[[Any], Any]) -> None:
    def watch(fastapi: Any) -> None:
        from fastapi import routing
        from fastapi.dependencies import utils

        solve = make(utils.solve_dependencies)
        change.hooks.replace(utils, "solve_dependencies", lambda original: solve)
        change.hooks.replace(routing, "solve_dependencies", lambda original: solve)

    change.hooks.when_imported("fastapi", watch)


class _Apps:
    """The applications that are alive, and their overrides, found by the name of what is overridden."""

    def __init__(self, hooks: Hooks) -> None:
        self._apps: "WeakSet[Any]" = WeakSet()

        def making(original: Any) -> Any:
            def __init__(app: Any, *args: Any, **kwargs: Any) -> None:
                self._apps.add(app)
                original(app, *args, **kwargs)
            return __init__

        # FastAPI's own takes the place of Starlette's, and does not call it.
        hooks.when_imported("fastapi.applications", lambda module: hooks.replace(module.FastAPI, "__init__", making))

    def _overrides(self) -> List[Tuple[Any, Any]]:
        return [pair for app in list(self._apps) for pair in (getattr(app, "dependency_overrides", None) or {}).items()]

    def override_named(self, name: str) -> Any:
        return next((by for key, by in self._overrides() if is_named(key, name)), None)

    def key_named(self, name: str) -> Any:
        return next((key for key, _ in self._overrides() if is_named(key, name)), None)

    def override_of(self, function: Any) -> Any:
        return next((by for key, by in self._overrides() if key is function), None)


class _Provider:
    """Stands for an application where its overrides are looked up, with some added."""

    def __init__(self, provider: Any, added: Dict[Any, Any]) -> None:
        self._provider = provider
        self.dependency_overrides = {**(getattr(provider, "dependency_overrides", None) or {}), **added}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)


def _declared(dependant: Any, name: str, provider: Any) -> List[Any]:
    """The dependencies of this name that no override of the provider reaches."""
    overrides = getattr(provider, "dependency_overrides", None) or {}
    calls = [sub.call for sub in dependant.dependencies]
    return [call for call in calls if call not in overrides and is_named(call, name)]
