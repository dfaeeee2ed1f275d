"""FastAPI and Starlette: which application serves a request, and which callable supplies each dependency of it."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Dict, List, Optional

from .context import REQUEST, Request
from .databases import Databases
from .hooks import Hooks
from .recorder import Recorder


class AppProbe:
    """Follows each request from the application that took it to the values that its dependencies supplied."""

    def __init__(self, recorder: Recorder, databases: Databases) -> None:
        self._recorder, self._databases = recorder, databases
        self._apps: Dict[int, str] = {}
        self._callables: Dict[int, str] = {}
        self._keep: List[Any] = []  # callables that were named, so that no id is used again

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("starlette.applications", self._watch_starlette)
        hooks.when_imported("starlette.background", self._watch_background)
        hooks.when_imported("fastapi", self._watch_fastapi)

    # --- applications ------------------------------------------------------------------------------------------------

    def _watch_starlette(self, applications: Any) -> None:
        probe = self

        def serving(original: Any) -> Any:
            async def __call__(app: Any, scope: Any, receive: Any, send: Any) -> None:
                token = REQUEST.set(probe._request(app, scope))
                try:
                    await original(app, scope, receive, send)
                finally:
                    REQUEST.reset(token)
            return __call__

        self._hooks.replace(applications.Starlette, "__init__", self._making)
        self._hooks.replace(applications.Starlette, "__call__", serving)

    def _watch_fastapi(self, fastapi: ModuleType) -> None:
        from fastapi import FastAPI, routing
        from fastapi.dependencies import utils

        self._hooks.replace(FastAPI, "__init__", self._making)
        solving = self._solving(utils.solve_dependencies)
        self._hooks.replace(utils, "solve_dependencies", lambda original: solving)
        self._hooks.replace(routing, "solve_dependencies", lambda original: solving)
        self._hooks.add(FastAPI, "dependency_overrides", _Overrides(self))

    def _making(self, original: Any) -> Any:
        probe = self

        def __init__(app: Any, *args: Any, **kwargs: Any) -> None:
            probe._apps[id(app)] = number = probe._databases.number("app")
            kind = type(app)
            probe._recorder.event("app", app=number, type=f"{kind.__module__}.{kind.__qualname__}")
            original(app, *args, **kwargs)
        return __init__

    def _request(self, app: Any, scope: Any) -> Request:
        stage = scope["type"]
        outer = REQUEST.get()
        request = Request(
            self._databases.number("request"), self._apps.get(id(app)), stage,
            scope.get("method", ""), scope.get("path", ""),
        )
        self._recorder.event(
            "request", number=request.number, app=request.app, type=stage, method=request.method, path=request.path,
            within=outer.number if outer is not None else None,
        )
        return request

    # --- background tasks --------------------------------------------------------------------------------------------

    def _watch_background(self, background: Any) -> None:
        def running(original: Any) -> Any:
            async def __call__(task: Any) -> None:
                served = REQUEST.get()
                token = REQUEST.set(_in_background(served)) if served is not None else None
                try:
                    await original(task)
                finally:
                    if token is not None:
                        REQUEST.reset(token)
            return __call__

        self._hooks.replace(background.BackgroundTask, "__call__", running)

    # --- dependencies ------------------------------------------------------------------------------------------------

    def _solving(self, original: Any) -> Any:
        probe = self

        async def solve_dependencies(**kwargs: Any) -> Any:
            request = REQUEST.get()
            if request is None or not kwargs["dependant"].dependencies:
                return await original(**kwargs)
            cache = kwargs.get("dependency_cache")
            kwargs["dependency_cache"] = cache = {} if cache is None else cache
            chosen = probe._chosen(kwargs["dependant"], kwargs.get("dependency_overrides_provider"))
            solved = await original(**kwargs)
            probe._supplied(request, chosen, cache)
            return solved
        return solve_dependencies

    def _chosen(self, dependant: Any, provider: Any) -> Dict[Any, Any]:
        """Return what will be called for each dependency: {the callable declared: the override, or None}."""
        overrides = getattr(provider, "dependency_overrides", None) or {}
        declared = [sub.call for sub in dependant.dependencies]
        chosen = {call: overrides.get(call) for call in declared}
        self._recorder.event(
            "dependencies", consulted=provider is not None, provider=self._apps.get(id(provider)),
            supplied_by=[[self.name(call), self.name(override)] for call, override in chosen.items()],
        )
        return chosen

    def _supplied(self, request: Request, chosen: Dict[Any, Any], cache: Any) -> None:
        for key, value in cache.items():
            call = key[0] if isinstance(key, tuple) else key
            if call in chosen and value is not None and not isinstance(value, (str, int, float, bool, bytes)):
                supplier = (self.name(call) or "", self.name(chosen[call]))
                request.keep.append(value)
                for form in _forms(value):
                    request.supplied[id(form)] = supplier

    def name(self, call: Any) -> Optional[str]:
        """Name a callable by a number; what it is called and where it is defined is written down once."""
        if call is None:
            return None
        number = self._callables.get(id(call))
        if number is None:
            self._keep.append(call)
            number = self._callables[id(call)] = self._databases.number("callable")
            self._recorder.plain("callable", callable=number, **_whereabouts(call))
        return number

    # --- overrides ---------------------------------------------------------------------------------------------------

    def override(self, op: str, app: Any, key: Any, by: Any) -> None:
        self._recorder.event(
            "override", op=op, app=self._apps.get(id(app)), key=self.name(key), by=self.name(by),
        )


class _Overrides:
    """Stands in for the attribute of each application, so that also a whole new dictionary is seen."""

    def __init__(self, probe: AppProbe) -> None:
        self._probe = probe

    def __get__(self, app: Any, owner: Any = None) -> Any:
        if app is None:
            return self
        try:
            return vars(app)["dependency_overrides"]
        except KeyError:
            raise AttributeError(f"{type(app).__name__!r} object has no attribute 'dependency_overrides'") from None

    def __set__(self, app: Any, value: Any) -> None:
        before = vars(app).get("dependency_overrides")
        if isinstance(before, _WatchedOverrides):
            for key in list(before):
                self._probe.override("removed", app, key, None)
        vars(app)["dependency_overrides"] = _WatchedOverrides.of(self._probe, app, value)


class _WatchedOverrides(Dict[Any, Any]):
    """The application's dictionary; every change is written down before it is made."""

    @classmethod
    def of(cls, probe: AppProbe, app: Any, value: Any) -> Any:
        if type(value) not in (dict, cls):
            return value
        watched = cls()
        watched._probe, watched._app = probe, app  # type: ignore[attr-defined]
        watched.update(value)
        return watched

    def __setitem__(self, key: Any, by: Any) -> None:
        op = "replaced" if key in self else "set"
        self._probe.override(op, self._app, key, by)  # type: ignore[attr-defined]
        super().__setitem__(key, by)

    def __delitem__(self, key: Any) -> None:
        if key in self:
            self._probe.override("removed", self._app, key, None)  # type: ignore[attr-defined]
        super().__delitem__(key)

    def pop(self, key: Any, *default: Any) -> Any:
        if key in self:
            value = self[key]
            del self[key]
            return value
        return super().pop(key, *default)

    def popitem(self) -> Any:
        key, value = super().popitem()
        self._probe.override("removed", self._app, key, None)  # type: ignore[attr-defined]
        return key, value

    def clear(self) -> None:
        for key in list(self):
            del self[key]

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *others: Any, **named: Any) -> None:
        for key, by in dict(*others, **named).items():
            self[key] = by

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc]  # as an override dictionary is used
        self.update(other)
        return self


def _in_background(served: Request) -> Request:
    task = Request(served.number, served.app, "background", served.method, served.path)
    task.supplied, task.keep = served.supplied, served.keep
    return task


def _forms(value: Any) -> List[Any]:
    """A value, and what it is a wrapper around: an asynchronous session, for one, is used through its synchronous half."""
    inner = (getattr(value, name, None) for name in ("sync_session", "sync_connection", "sync_engine"))
    return [value, *(form for form in inner if form is not None)]


def _whereabouts(call: Any) -> Dict[str, Any]:
    function = getattr(call, "__func__", call)
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if not hasattr(function, "__qualname__"):  # an instance that is called
        function = type(call)
    code = getattr(function, "__code__", None) or getattr(getattr(function, "__call__", None), "__code__", None)
    return {
        "name": f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', '?')}",
        "file": getattr(code, "co_filename", None), "line": getattr(code, "co_firstlineno", None),
    }
