"""Callables and their definitions: dependencies, overrides, endpoints. Each definition is recorded once."""

from __future__ import annotations

from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Callable, Dict, Optional, Tuple
from weakref import ReferenceType, ref

from .frames import APPLICATION, absolute, owner
from .objects import Objects, address, attribute, bases, held_by, is_a, module_of, qualname_of, space_of
from .own import functools, sys
from .own import own_builtins as __builtins__  # noqa: F401
from .recorder import Recorder

_REMEMBERED_AT_MOST = 20_000
_WRAPPERS_AT_MOST = 20
_FUNCTIONS = (FunctionType, BuiltinFunctionType)  # these classes cannot be subclassed
_of_partial: Callable[[Any], Any] = vars(functools.partial)["func"].__get__


class Callables:
    """Numbers callables, each for as long as it lives, without keeping it alive."""

    def __init__(self, recorder: Recorder, objects: Objects) -> None:
        self._recorder, self._objects = recorder, objects
        self._known: Dict[Tuple[int, ...], Tuple["ReferenceType[Any]", str]] = {}
        self._described: Dict[Tuple[Any, ...], str] = {}  # callables without weak references, by description

    def name(self, call: Any) -> Optional[str]:
        """Return the number of a callable; None for None."""
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
        """Return a number that all callables of one definition share; None for None."""
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
    """Return the type, name and location of a callable; `inner` is the callable that it wraps, if any.

    `type` is function, method, class, partial, annotated, or instance (of a class with or without `__call__`).
    """
    annotated = _dependency_of_annotated(call)
    if annotated is not None:
        inner = describe(annotated)["name"]
        name = f"typing.Annotated[{_name_of_origin(call)}, Depends({inner})]"
        return {"type": "annotated", "name": name, "file": None, "line": None, "inner": annotated}
    if is_a(call, functools.partial):
        return {**describe(_of_partial(call)), "type": "partial", "inner": _of_partial(call)}
    if type(call) is MethodType:
        return {"type": "method", **_place(_unwrapped(call.__func__))}
    if is_a(call, type):
        return {"type": "class", **_place(call)}
    function = _unwrapped(call)
    if type(function) in _FUNCTIONS:
        return {"type": "function", **_place(function)}
    return {"type": "instance", **_place(type(call))}


def code_of(call: Any) -> Optional[CodeType]:
    """Return the code that runs when a callable is called; None if it is not written in Python."""
    while is_a(call, functools.partial):
        call = _of_partial(call)
    function = _unwrapped(call.__func__ if type(call) is MethodType else call)
    if type(function) is not FunctionType:
        function = _method(function, "__init__") if is_a(function, type) else _method(type(function), "__call__")
    return function.__code__ if type(function) is FunctionType else None


def known_as(call: Any) -> Optional[str]:
    """Return the application's global through which a callable is reached, if its own name does not lead to it.

    For example a closure, an instance, an alias, or a method of an object in a global: `app.db.get_main`,
    `app.db.database.session`. None if the callable's own name leads to it, or if no global holds it.
    """
    thing = call.__self__ if type(call) is MethodType else call
    if is_a(call, type) or (thing is call and _is_found_by_name(call)):
        return None
    tail = f".{_said(call.__func__, '__name__')}" if thing is not call else ""
    origin = _of_partial(call) if is_a(call, functools.partial) else _dependency_of_annotated(call)
    own = _said(call if thing is call else type(thing), "__module__") if origin is None else _said(origin, "__module__")
    found = None
    for name, module in list(sys.modules.items()):
        globals_ = held_by(module) if is_a(module, ModuleType) else {}
        file = globals_.get("__file__")
        if type(file) is not str or owner(file) is not APPLICATION:
            continue
        held = next((slot for slot, value in list(globals_.items()) if value is thing), None)
        if held is None or (found is not None and name.rpartition(".")[2].startswith(("conftest", "test_"))):
            continue
        found = f"{name}.{held}{tail}"  # sys.modules has importers first: the last one defines it
        if name == own:
            break
    return found


def _is_found_by_name(call: Any) -> bool:
    return _found_by_name(call) is call


def _found_by_name(call: Any) -> Any:
    found: Any = sys.modules.get(_said(call, "__module__"))
    for part in _said(call, "__qualname__").split("."):
        found = space_of(found).get(part) if is_a(found, type) else held_by(found).get(part)
    return found


def current_replacement(call: Any) -> Any:
    """Return the object that now has a function's own name; None if it is the function, or a decorator around it."""
    if type(call) is not FunctionType:
        return None
    found = _found_by_name(call)
    return None if found is call or found is None or _unwrapped(found) is _unwrapped(call) else found


def _said(thing: Any, name: str) -> str:
    """Return `__name__`, `__module__` or `__qualname__` of an object; "?" if that is no text."""
    if type(thing) in _FUNCTIONS:
        found = getattr(thing, name, None)
    elif is_a(thing, type):
        found = module_of(thing) if name == "__module__" else qualname_of(thing)
    else:
        found = attribute(thing, name)
    return found if type(found) is str else "?"


def _place(thing: Any) -> Dict[str, Any]:
    if not is_a(thing, type) and type(thing) not in _FUNCTIONS:
        thing = type(thing)
    code = thing.__code__ if type(thing) is FunctionType else None
    if is_a(thing, type):
        method = _method(thing, "__call__") or _method(thing, "__init__")
        code = method.__code__ if type(method) is FunctionType else None
        own = next((value.__code__ for value in space_of(thing).values() if type(value) is FunctionType), None)
        if own is not None and (code is None or code.co_filename != own.co_filename):  # inherited from another file
            code = own
    return {
        "name": f"{_said(thing, '__module__')}.{_said(thing, '__qualname__')}",
        "file": code and absolute(code.co_filename), "line": code and code.co_firstlineno,
    }


def _method(kind: type, name: str) -> Any:
    """Return a class's method without decorators; None if it has none, or one that is not written in Python."""
    found = next((space_of(base)[name] for base in bases(kind) if name in space_of(base)), None)
    return _unwrapped(found) if type(found) is FunctionType else None


def _unwrapped(function: Any) -> Any:
    """Return the function inside decorators that set `__wrapped__`, without calling any of them."""
    for _ in range(_WRAPPERS_AT_MOST):
        held = space_of(function) if is_a(function, type) else held_by(function)
        if "__wrapped__" not in held:
            break
        function = held["__wrapped__"]
    return function


def _dependency_of_annotated(call: Any) -> Any:
    """Return the dependency of `Annotated[..., Depends(dependency)]`; None for anything else."""
    extras = held_by(call).get("__metadata__", ()) if _is_annotated(type(call)) else ()
    for extra in extras if type(extras) is tuple else ():
        found = attribute(extra, "dependency")
        if found is not None:
            return found
    return None


def _is_annotated(kind: type) -> bool:
    return qualname_of(kind) == "_AnnotatedAlias" and module_of(kind) in ("typing", "typing_extensions")


def _name_of_origin(annotated: Any) -> str:
    origin = held_by(annotated).get("__origin__")
    return qualname_of(origin) if origin is not None and is_a(origin, type) else "..."
