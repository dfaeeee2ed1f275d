"""Callables, named by what they are: a dependency, an override, an endpoint. Where each is defined is written once."""

from __future__ import annotations

import functools
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any, Dict, Optional, Tuple
from weakref import ReferenceType, ref

from .frames import absolute
from .objects import Objects
from .recorder import Recorder

_REMEMBERED_AT_MOST = 20_000
_WRAPPERS_AT_MOST = 20


class Callables:
    """Each callable has a name of its own, as long as it lives; nothing is kept alive for it."""

    def __init__(self, recorder: Recorder, objects: Objects) -> None:
        self._recorder, self._objects = recorder, objects
        self._known: Dict[Tuple[int, ...], Tuple["ReferenceType[Any]", str]] = {}
        self._described: Dict[Tuple[Any, ...], str] = {}  # those that cannot be pointed at, by what they are

    def name(self, call: Any) -> Optional[str]:
        """Return the name of a callable; None for None."""
        if call is None:
            return None
        thing, key = (call.__self__, (id(call.__self__), id(call.__func__))) if type(call) is MethodType \
            else (call, (id(call),))
        known = self._known.get(key)
        if known is not None and known[0]() is thing:
            return known[1]
        described = describe(call)
        described["inner"] = self.name(described.pop("inner", None))
        try:
            pointer = ref(thing)
        except TypeError:
            return self._by_description(described)
        if len(self._known) > _REMEMBERED_AT_MOST:
            self._known = {key: known for key, known in self._known.items() if known[0]() is not None}
        self._known[key] = pointer, self._write(described)
        return self._known[key][1]

    def defined(self, call: Any) -> Optional[str]:
        """Return a name that all callables of one definition share; None for None."""
        if call is None:
            return None
        described = describe(call)
        described["inner"] = self.name(described.pop("inner", None))
        return self._by_description(described)

    def _by_description(self, described: Dict[str, Any]) -> str:
        key = tuple(described.values())
        if key not in self._described:
            self._described[key] = self._write(described)
        return self._described[key]

    def _write(self, described: Dict[str, Any]) -> str:
        number = self._objects.number("callable")
        self._recorder.plain("callable", callable=number, **described)
        return number


def describe(call: Any) -> Dict[str, Any]:
    """Say what a callable is and where it is defined; `inner` is the callable that it stands for, where it has one.

    `type` is function, method, class, partial, annotated, or instance (of a class that can be called, or is misused).
    """
    annotated = _dependency_of_annotated(call)
    if annotated is not None:
        return {"type": "annotated", "name": repr(call)[:200], "file": None, "line": None, "inner": annotated}
    if isinstance(call, functools.partial):
        return {**describe(call.func), "type": "partial", "inner": call.func}
    if isinstance(call, MethodType):
        return {"type": "method", **_place(_unwrapped(call.__func__))}
    if isinstance(call, type):
        return {"type": "class", **_place(call)}
    function = _unwrapped(call)
    if isinstance(function, (FunctionType, BuiltinFunctionType)):
        return {"type": "function", **_place(function)}
    return {"type": "instance", **_place(type(call))}


def code_of(call: Any) -> Optional[CodeType]:
    """Return the code that runs when a callable is called; None where it is not Python's."""
    while isinstance(call, functools.partial):
        call = call.func
    function = _unwrapped(call.__func__ if isinstance(call, MethodType) else call)
    if not isinstance(function, FunctionType):
        function = _method(function, "__init__") if isinstance(function, type) else _method(type(function), "__call__")
    return getattr(function, "__code__", None)


def _place(thing: Any) -> Dict[str, Any]:
    code = getattr(thing, "__code__", None) if isinstance(thing, FunctionType) else None
    if isinstance(thing, type):
        code = getattr(_method(thing, "__call__") or _method(thing, "__init__"), "__code__", None)
    return {
        "name": f"{getattr(thing, '__module__', '?')}.{getattr(thing, '__qualname__', '?')}",
        "file": code and absolute(code.co_filename), "line": code and code.co_firstlineno,
    }


def _method(kind: type, name: str) -> Any:
    """Return a class's method as it was written; None where it has none of its own that is Python's."""
    found = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
    return _unwrapped(found) if isinstance(found, FunctionType) else None


def _unwrapped(function: Any) -> Any:
    """Return what a decorator was put around. Only what has been written down on it is looked at: nothing is asked."""
    for _ in range(_WRAPPERS_AT_MOST):
        try:
            function = object.__getattribute__(function, "__dict__")["__wrapped__"]
        except (AttributeError, KeyError, TypeError):
            break
    return function


def _dependency_of_annotated(call: Any) -> Any:
    """Return what `Annotated[..., Depends(it)]` depends on; None where `call` is something else."""
    for extra in getattr(call, "__metadata__", ()) if type(call).__name__ == "_AnnotatedAlias" else ():
        found = getattr(extra, "dependency", None)
        if found is not None:
            return found
    return None
