"""Dependencies: the callable that supplies each dependency of a request, and the value that it returns."""

from __future__ import annotations

from types import FunctionType
from typing import Any, Dict, Iterator, List

from .callables import Callables, code_of, current_replacement
from .context import REQUEST, Request, Supplier
from .databases import Databases
from .frames import APPLICATION, owner
from .hooks import Hooks, out_of_traceback
from .objects import attribute, held_by, is_a, look_up, module_of
from .own import own_builtins as __builtins__  # noqa: F401
from .own import sys
from .quiet import quietly
from .recorder import Recorder

_PLAIN = (str, int, float, bool, bytes, type(None), dict, list, tuple, set, frozenset)
_ATTRIBUTES_AT_MOST = 50
_WRAPPED = ("sync_session", "sync_connection", "sync_engine")  # attributes of SQLAlchemy's async classes


class DependencyProbe:
    """Wraps FastAPI's solve_dependencies, to map each value of a request to the dependency that supplied it."""

    def __init__(self, recorder: Recorder, databases: Databases, callables: Callables) -> None:
        self._recorder, self._databases, self._callables = recorder, databases, callables

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("fastapi", self._watch)

    def _watch(self, fastapi: Any) -> None:
        from fastapi import routing
        from fastapi.dependencies import utils

        self._hooks.replace(utils, "solve_dependencies", self._solving)
        self._hooks.replace_by(routing, "solve_dependencies", utils.solve_dependencies)

    def _solving(self, original: Any) -> Any:
        probe = self

        async def solve_dependencies(**kwargs: Any) -> Any:
            __tracebackhide__ = True
            request = REQUEST.get()
            try:
                if request is None:
                    return await original(**kwargs)
                chosen = probe._chosen(request, kwargs["dependant"], kwargs.get("dependency_overrides_provider"))
                solved = await original(**kwargs)
                if chosen:
                    probe._supplied(request, kwargs["dependant"], chosen, solved)
                return solved
            except BaseException as error:
                out_of_traceback(error)
                raise
        return solve_dependencies

    @quietly
    def _chosen(self, request: Request, dependant: Any, provider: Any) -> Dict[Any, Supplier]:
        """Return the supplier of each dependency, {declared callable: (its name, its override's name or None)}."""
        if not dependant.dependencies:
            return {}
        overrides = held_by(provider).get("dependency_overrides")
        chosen: Dict[Any, Supplier] = {}
        for sub in dependant.dependencies:
            override = look_up(overrides, sub.call)
            chosen[sub.call] = supplier = self._callables.name(sub.call) or "", self._callables.name(override)
            code = code_of(override if override is not None else sub.call)
            if code is not None:
                request.takes_in(code, supplier)
        supplied_by = [list(supplier) for supplier in chosen.values()]
        whose = self._callables.name(dependant.call)
        passed_over = self._passed_over(chosen)
        more: Dict[str, Any] = {"passed_over": passed_over} if passed_over else {}
        self._recorder.event(
            "dependencies", apart=(whose, tuple(chosen.values()), str(passed_over)), consulted=provider is not None,
            provider=self._databases.objects.of("app", provider), of=whose, supplied_by=supplied_by, **more,
        )
        return chosen

    def _passed_over(self, chosen: Dict[Any, Supplier]) -> List[List[str]]:
        """Return [declared, other] for each dependency whose own name now refers to another object (a monkeypatch).

        FastAPI keeps the original function and does not look the name up again.
        """
        found = ((declared, current_replacement(call)) for call, (declared, _) in chosen.items())
        return [[declared, self._callables.name(other) or ""] for declared, other in found if other is not None]

    @quietly
    def _supplied(self, request: Request, dependant: Any, chosen: Dict[Any, Supplier], solved: Any) -> None:
        """Map each value to its dependency. Up to FastAPI 0.112, `solved` is a tuple."""
        is_old = isinstance(solved, tuple)
        values, cache = (solved[0], solved[4]) if is_old else (solved.values, solved.dependency_cache)
        for sub in dependant.dependencies:
            if sub.name is not None and sub.name in values:
                self._remember(request, values[sub.name], chosen[sub.call])
        for key, value in cache.items():
            call = key[0] if isinstance(key, tuple) else key
            if call in chosen:
                self._remember(request, value, chosen[call])

    def _remember(self, request: Request, value: Any, supplier: Supplier) -> None:
        if is_a(value, _PLAIN):
            return
        for form in _forms(value):
            request.supply(form, supplier)


def _forms(value: Any) -> Iterator[Any]:
    """Yield a value, the objects that it wraps, and, for an object of the application, its attributes."""
    yield value
    yield from _halves(value)
    if _is_the_applications(type(value)):
        for inner in list(held_by(value).values())[:_ATTRIBUTES_AT_MOST]:
            if not is_a(inner, (*_PLAIN, type, FunctionType)):
                yield inner
                yield from _halves(inner)


def _halves(value: Any) -> Iterator[Any]:
    if module_of(type(value)).partition(".")[0] in ("sqlalchemy", "sqlmodel"):
        for name in _WRAPPED:
            inner = attribute(value, name)
            if inner is not None:
                yield inner
        options = held_by(value).get("kw")  # the options of a session factory
        bind = options.get("bind") if type(options) is dict else None
        if bind is not None:
            yield bind
            yield from _halves(bind)


def _is_the_applications(kind: type) -> bool:
    file = held_by(sys.modules.get(module_of(kind))).get("__file__")
    return type(file) is str and owner(file) is APPLICATION
