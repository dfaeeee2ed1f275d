"""The dependencies of an application: the callables of its routes, and the override keys that match none of them."""

from __future__ import annotations

from types import FunctionType
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from .callables import Callables, known_as
from .objects import Notes, Objects, address, attribute, bases, held_by, is_a, name_of, space_of
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly
from .recorder import Recorder

_GRAPHS_AT_MOST = 200  # recorded by one process
_GLOBALS_AT_MOST = 500  # callables that are searched for among globals
_DEEP_AT_MOST = 40  # nesting of mounts, and of dependencies

Graph = Tuple[Tuple[int, ...], Set[Any]]  # a fingerprint of the routes; the callables


class Routes:
    """Records an application's dependencies when its overrides have to be compared with them."""

    def __init__(self, recorder: Recorder, objects: Objects, callables: Callables) -> None:
        self._recorder, self._objects, self._callables = recorder, objects, callables
        self._changed: "Notes[bool]" = Notes()
        self._graphs: "Notes[Graph]" = Notes()
        self._written: Set[Tuple[Any, ...]] = set()
        self._described: "Notes[bool]" = Notes()
        self._globals: Dict[str, Optional[str]] = {}  # by the callable's number
        self._parts: Dict[Tuple[Any, ...], str] = {}  # -> the first application with these

    @quietly
    def describe_parts(self, app: Any) -> None:
        """Record an application's endpoints, middleware and lifespan, once."""
        number = self._objects.of("app", app)
        if number is None or self._described.get(app):
            return
        self._described.set(app, True)
        endpoints = tuple(
            (_text(attribute(route, "path")), self._callables.defined(attribute(route, "endpoint")))
            for route in _flat(_routes_of(app), 0, every=True)
        )
        middleware = tuple(filter(None, map(self._callables.defined, _middleware(app))))
        lifespan = self._callables.defined(attribute(attribute(app, "router"), "lifespan_context"))
        parts = endpoints, middleware, lifespan
        like = self._parts.setdefault(parts, number)
        if like != number:
            self._recorder.plain("app_parts", app=number, like=like)
        else:
            self._recorder.plain(
                "app_parts", app=number, like=None, endpoints=endpoints, middleware=middleware, lifespan=lifespan,
            )

    @quietly
    def changed(self, app: Any) -> None:
        """Note that an override of this application was set or removed."""
        self._changed.set(app, True)

    @quietly
    def check(self, app: Any, alive: Callable[[], List[Any]]) -> None:
        """If the application's overrides have changed, record which keys match its dependencies, and which do not."""
        if not self._changed.pop(app):
            return
        held: Any = held_by(app).get("dependency_overrides")
        overrides = list(dict.keys(held)) if is_a(held, dict) else []
        if not overrides:
            return
        depended_on = self._graph(app)
        missed = [key for key in overrides if key not in depended_on]
        others = alive() if missed else []
        self._recorder.event(
            "override_check", apart=(self._objects.of("app", app), len(missed)), app=self._objects.of("app", app),
            matched=[self._callables.name(key) for key in overrides if key in depended_on],
            missed=[self._callables.name(key) for key in missed],
            known_as=list(self._known_as(missed, *(self._graph(other) for other in others))),
        )
        for other in others:
            self._describe(other)

    def _known_as(self, *groups: Any) -> Iterator[List[str]]:
        """Yield [callable, global] for callables held by a global that their own names do not refer to."""
        for call in {address(call): call for group in groups for call in group}.values():
            number = self._callables.name(call)
            if number is not None and number not in self._globals and len(self._globals) < _GLOBALS_AT_MOST:
                self._globals[number] = known_as(call)
            held_by = self._globals.get(number or "")
            if number is not None and held_by is not None:
                yield [number, held_by]

    def _graph(self, app: Any) -> Set[Any]:
        state = tuple(_state(app))
        known = self._graphs.get(app)
        if known is None or known[0] != state:
            calls = {call for _, _, dependant in _endpoints(app) for call in _calls(dependant)}
            known = state, calls
            self._graphs.set(app, known)
        return known[1]

    def _describe(self, app: Any) -> None:
        """Record an application's routes with their dependencies, once for each state."""
        routes = []
        for path, provider, dependant in _endpoints(app):
            calls = tuple(self._callables.name(call) for call in _calls(dependant))
            consulted = provider is not None
            routes.append((path, self._callables.defined(getattr(dependant, "call", None)), consulted, calls))
        number = self._objects.of("app", app)
        key = (number, tuple(routes))
        if key not in self._written and len(self._written) < _GRAPHS_AT_MOST:
            self._written.add(key)
            self._recorder.plain("graph", app=number, routes=routes)


def _endpoints(app: Any) -> Iterator[Tuple[str, Any, Any]]:
    """Yield (path, overrides provider, dependant) of each route, except in mounts that have overrides of their own."""
    for route in _flat(_routes_of(app), 0):
        dependant = attribute(route, "dependant")
        if dependant is not None:
            yield _text(attribute(route, "path")), attribute(route, "dependency_overrides_provider"), dependant


def _routes_of(app: Any) -> List[Any]:
    """Return the routes of an application or router, with its low-priority ones (a frontend's)."""
    router = attribute(app, "router", app)
    found = [attribute(router, name) for name in ("routes", "_low_priority_routes")]
    return [route for routes in found if type(routes) is list for route in routes]


def _middleware(app: Any) -> Iterator[Any]:
    entries = attribute(app, "user_middleware")
    for entry in entries if type(entries) is list else ():
        yield attribute(entry, "cls")
        options = attribute(entry, "kwargs") or attribute(entry, "options")
        yield options.get("dispatch") if type(options) is dict else None


def _flat(routes: Any, depth: int, every: bool = False) -> Iterator[Any]:
    """Yield all routes, including those of included routers (a tree since FastAPI 0.137) and of mounts.

    Without `every`, only routes whose dependencies FastAPI resolves.
    """
    if depth > _DEEP_AT_MOST:
        return
    for route in routes:
        if _is_fastapis(route, "effective_route_contexts"):
            yield from _flat(list(route.effective_route_contexts()), depth + 1, every)
            if _is_fastapis(route, "effective_low_priority_routes"):
                yield from _flat(list(route.effective_low_priority_routes()), depth + 1, every)
            continue
        inner = attribute(route, "starlette_route") or route
        solved = next((one for one in (route, inner) if attribute(one, "dependant") is not None), None)
        if every or solved is not None:
            yield solved or route  # an included router's context can lack the dependant of a websocket route
        mounted = _mounted(inner)
        if mounted is not None:
            yield from _flat(mounted, depth + 1, every)


def _is_fastapis(route: Any, method: str) -> bool:
    """Return whether a route has FastAPI's own method of this name, and no override of it."""
    found = next((space_of(base)[method] for base in bases(type(route)) if method in space_of(base)), None)
    return type(found) is FunctionType and found.__module__ == "fastapi.routing"


def _mounted(route: Any) -> Optional[List[Any]]:
    """Return the routes of a mounted application; None if it has overrides of its own."""
    is_mount = {"starlette.routing.Mount", "starlette.routing.Host"} & set(map(name_of, bases(type(route))))
    app = attribute(route, "app") if is_mount else None
    for _ in range(_DEEP_AT_MOST):  # unwrap middleware
        if app is None or "dependency_overrides" in held_by(app):
            return None
        if attribute(attribute(app, "router", app), "routes") is not None:
            return _routes_of(app)
        app = attribute(app, "app")
    return None


def _text(value: Any) -> str:
    return str.__str__(value) if is_a(value, str) else ""


def _calls(dependant: Any, depth: int = 0) -> Iterator[Any]:
    for sub in dependant.dependencies if depth < _DEEP_AT_MOST else ():
        if sub.call is not None:
            yield sub.call
        yield from _calls(sub, depth + 1)


def _state(app: Any) -> Iterator[int]:
    """Yield numbers that change when a route is added anywhere."""
    pending = [_routes_of(app)]
    for routes in pending:
        yield len(routes)
        for route in routes:
            inside = attribute(route, "original_router")
            inner = _routes_of(inside) if inside is not None else _mounted(route)
            if inner and len(pending) < 1000:
                pending.append(inner)
