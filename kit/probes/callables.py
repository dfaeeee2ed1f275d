"""Callables, named by what they are: a dependency, an override, an endpoint. Where each is defined is written once."""

from __future__ import annotations

from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Dict, Optional, Tuple
from weakref import ReferenceType, ref

from .frames import APPLICATION, absolute, owner
from .objects import Objects, address
from .own import functools, sys
from .own import own_builtins as __builtins__  # noqa: F401
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
        thing, key = (call.__self__, (address(call.__self__), address(call.__func__))) if type(call) is MethodType \
            else (call, (address(call),))
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
        inner = describe(annotated)["name"]
        kind = getattr(getattr(call, "__origin__", None), "__name__", "...")
        name = f"typing.Annotated[{kind}, Depends({inner})]"
        return {"type": "annotated", "name": name, "file": None, "line": None, "inner": annotated}
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


def known_as(call: Any) -> Optional[str]:
    """Return the global of the application's that holds a callable which its own name does not lead to.

    A function made by another, an instance, an alias, or a method of an object that is a global: `app.db.get_main`,
    `app.db.database.session`. None where the callable's name leads to it, or no global holds it.
    """
    thing = call.__self__ if isinstance(call, MethodType) else call
    if isinstance(call, type) or (thing is call and _is_found_by_name(call)):
        return None
    tail = f".{call.__func__.__name__}" if thing is not call else ""
    origin = call.func if isinstance(call, functools.partial) else _dependency_of_annotated(call)
    own = getattr(origin or (call if thing is call else type(thing)), "__module__", None)
    found = None
    for name, module in list(sys.modules.items()):
        file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
        if not isinstance(file, str) or owner(file) is not APPLICATION:
            continue
        held = next((slot for slot, value in list(vars(module).items()) if value is thing), None)
        if held is None or (found is not None and name.rpartition(".")[2].startswith(("conftest", "test_"))):
            continue
        found = f"{name}.{held}{tail}"  # who imports comes before what is imported: the last one made it
        if name == own:
            break
    return found


def _is_found_by_name(call: Any) -> bool:
    found: Any = sys.modules.get(getattr(call, "__module__", None) or "")
    for part in str(getattr(call, "__qualname__", "?")).split("."):
        found = getattr(found, "__dict__", {}).get(part)
    return found is call


def _place(thing: Any) -> Dict[str, Any]:
    code = getattr(thing, "__code__", None) if isinstance(thing, FunctionType) else None
    if isinstance(thing, type):
        code = getattr(_method(thing, "__call__") or _method(thing, "__init__"), "__code__", None)
        own = next((value.__code__ for value in vars(thing).values() if isinstance(value, FunctionType)), None)
        if own is not None and (code is None or code.co_filename != own.co_filename):  # its base's, of another file
            code = own
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
