"""Interventions on dependency overrides: applied to other dependencies, and to direct calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Tuple
from weakref import WeakSet

from ..callables import current_replacement
from ..defaults import defaults_of
from ..hooks import Hooks
from ..objects import is_a
from ..own import own_builtins as __builtins__  # noqa: F401
from ..own import types
from .base import Intervention, Rerun
from .named import is_named


@dataclass(frozen=True)
class ApplyOverride(Intervention):
    """The override of `key` is also used for the dependency `to`, in every application.

    With `kept`, even after it was removed.
    """

    op = "apply-override"
    key: str
    to: str
    kept: bool = False

    @property
    def label(self) -> str:
        kept = ", even after its removal" if self.kept else ""
        return f"with the override of {self.key} applied to {self.to}{kept}"

    def apply(self, rerun: Rerun) -> None:
        apps = _Apps(rerun.hooks)
        last: List[Any] = []

        def solving(original: Any) -> Any:
            async def solve_dependencies(**kwargs: Any) -> Any:
                provider = kwargs.get("dependency_overrides_provider")
                by = apps.override_named(self.key)
                if self.kept:
                    last[:] = [by] if by is not None else last
                    by = last[0] if last else None
                if by is not None:
                    added = declared(kwargs["dependant"], self.to, provider)
                    if added:
                        rerun.record_effect()
                        kwargs["dependency_overrides_provider"] = _Provider(provider, dict.fromkeys(added, by))
                return await original(**kwargs)
            return solve_dependencies

        around_solving(rerun.hooks, solving)


@dataclass(frozen=True)
class FollowName(Intervention):
    """A dependency is looked up by its name for each request, so that a function or mock assigned to it is used."""

    op = "follow-name"
    dependency: str

    @property
    def label(self) -> str:
        return f"with {self.dependency} looked up by its name"

    def apply(self, rerun: Rerun) -> None:
        def solving(original: Any) -> Any:
            async def solve_dependencies(**kwargs: Any) -> Any:
                provider = kwargs.get("dependency_overrides_provider")
                for call in declared(kwargs["dependant"], self.dependency, provider):
                    found = current_replacement(call)
                    if found is not None:
                        rerun.record_effect()
                        provider = _Provider(provider, {call: _as_called(found)})
                kwargs["dependency_overrides_provider"] = provider
                return await original(**kwargs)
            return solve_dependencies

        around_solving(rerun.hooks, solving)


def _as_called(found: Any) -> Callable[..., Any]:
    """Return what FastAPI may call; a mock is wrapped, since its signature would be taken for request parameters."""
    return found if type(found) is types.FunctionType or is_a(found, type) else lambda: found()


@dataclass(frozen=True)
class SetDefault(Intervention):
    """The default of an override's parameter is another text: `value`, as an object of the default's own type."""

    op = "set-default"
    function: str
    parameter: str
    value: str = field(repr=False)

    @property
    def label(self) -> str:
        return f"with another default of the parameter {self.parameter} of {self.function}"

    def apply(self, rerun: Rerun) -> None:
        def solving(original: Any) -> Any:
            async def solve_dependencies(**kwargs: Any) -> Any:
                provider = kwargs.get("dependency_overrides_provider")
                for by in list((getattr(provider, "dependency_overrides", None) or {}).values()):
                    if type(by) is types.FunctionType and is_named(by, self.function) and self._change(by):
                        rerun.record_effect()
                return await original(**kwargs)
            return solve_dependencies

        around_solving(rerun.hooks, solving)

    def _change(self, function: Any) -> bool:
        known = defaults_of(function)
        if self.parameter not in known or str(known[self.parameter]) == self.value:
            return False
        own = function.__kwdefaults__ or {}
        value = _of_type(type(known[self.parameter]), self.value)
        if self.parameter in own:
            function.__kwdefaults__ = {**own, self.parameter: value}
        else:
            known[self.parameter] = value
            function.__defaults__ = tuple(one for name, one in known.items() if name not in own)
        return True


def _of_type(kind: Any, text: str) -> Any:
    if kind.__module__.partition(".")[0] == "sqlalchemy":
        from sqlalchemy.engine import make_url

        return make_url(text)
    return kind(text)


@dataclass(frozen=True)
class RedirectCall(Intervention):
    """A direct call of a dependency returns what its override returns."""

    op = "redirect-call"
    dependency: str

    @property
    def label(self) -> str:
        return f"with plain calls of {self.dependency} redirected to its override"

    def apply(self, rerun: Rerun) -> None:
        apps = _Apps(rerun.hooks)
        redirected: Dict[Any, Any] = {}

        def solving(original: Any) -> Any:
            async def solve_dependencies(**kwargs: Any) -> Any:
                found = apps.key_named(self.dependency)
                if found is not None and found not in redirected and isinstance(found, types.FunctionType):
                    redirected[found] = _redirect(found, apps, rerun)
                return await original(**kwargs)
            return solve_dependencies

        around_solving(rerun.hooks, solving)


_REDIRECTED: Dict[int, Callable[..., Any]] = {}


def _redirect(function: Any, apps: "_Apps", rerun: Rerun) -> bool:
    """Replace a function's `__code__`, so that all references to it call its override; return False for a closure."""
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
        rerun.record_effect()
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
    rerun.hooks.on_removal(lambda: setattr(function, "__code__", before))
    return True


def around_solving(hooks: Hooks, make: Callable[[Any], Any]) -> None:
    """Wrap FastAPI's solve_dependencies, which is called for each request."""

    def watch(fastapi: Any) -> None:
        from fastapi import routing
        from fastapi.dependencies import utils

        solve = make(utils.solve_dependencies)
        hooks.replace(utils, "solve_dependencies", lambda original: solve)
        hooks.replace(routing, "solve_dependencies", lambda original: solve)

    hooks.when_imported("fastapi", watch)


class _Apps:
    """The applications that exist, and their overrides by the name of the dependency."""

    def __init__(self, hooks: Hooks) -> None:
        self._apps: "WeakSet[Any]" = WeakSet()

        def making(original: Any) -> Any:
            def __init__(app: Any, *args: Any, **kwargs: Any) -> None:
                self._apps.add(app)
                original(app, *args, **kwargs)
            return __init__

        # FastAPI.__init__ does not call that of Starlette.
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
    """An application with additional overrides."""

    def __init__(self, provider: Any, added: Dict[Any, Any]) -> None:
        self._provider = provider
        self.dependency_overrides = {**(getattr(provider, "dependency_overrides", None) or {}), **added}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)


def declared(dependant: Any, name: str, provider: Any) -> List[Any]:
    """Return the dependencies of this name that the provider does not override."""
    overrides = getattr(provider, "dependency_overrides", None) or {}
    calls = [sub.call for sub in dependant.dependencies]
    return [call for call in calls if call not in overrides and is_named(call, name)]
