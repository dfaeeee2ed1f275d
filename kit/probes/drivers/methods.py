"""Wrappers for methods of a class; its objects keep their class, whatever made them and when.

A class written in C rejects new attributes, but its namespace dict can be changed. The method is replaced by a
descriptor that returns the original method on lookup, so that errors, warnings and signatures stay the driver's own. A
method looked up on the class (`Connection.execute`) is the original, too, and noticed only on request.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

from ..hooks import Hooks
from ..own import functools, gc
from ..own import own_builtins as __builtins__  # noqa: F401

_IMMUTABLE, _HEAP = 1 << 8, 1 << 9  # bits of type.__flags__
_ABSENT = object()


class WatchedMethod:
    """A descriptor in place of a method. `hear(object, method)` is called when the method is looked up on an object.

    Its result is used as the method, or the original if that is None. With `from_class`, a lookup on the class returns
    a function that does the same for the object passed first.
    """

    def __init__(self, own: Any, hear: Callable[[Any, Any], Any], from_class: bool = False) -> None:
        self.own, self._hear, self._from_class = own, hear, from_class
        self.__doc__ = getattr(own, "__doc__", None)

    def __get__(self, thing: Any, kind: Optional[type] = None) -> Any:
        method = self.own.__get__(thing, kind)
        if thing is None:
            return self._unbound(method) if self._from_class else method
        instead = self._hear(thing, method)
        return method if instead is None else instead


    def _unbound(self, method: Any) -> Any:
        def call(thing: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            return self.__get__(thing, type(thing))(*args, **kwargs)
        return functools.update_wrapper(call, method)


def own_method(kind: type, name: str) -> Any:
    """Return the original method of a class, which does not call `hear`."""
    held = next(vars(base)[name] for base in kind.__mro__ if name in vars(base))
    return held.own if isinstance(held, WatchedMethod) else held


def watch_lookup(
    hooks: Hooks, kind: type, name: str, hear: Callable[[Any, Any], Any], from_class: bool = False,
) -> None:
    """Call `hear` whenever the method is looked up on an object of this class, until removal."""
    owner = next((base for base in kind.__mro__ if name in vars(base)), object)
    own = vars(owner).get(name)
    if own is not None and not isinstance(own, WatchedMethod):  # a reloaded module can have the same class
        put(hooks, owner, name, WatchedMethod(own, hear, from_class))


def put(hooks: Hooks, kind: type, name: str, value: Any) -> None:
    """Set an attribute of a class until removal, even if the class is immutable."""
    own = vars(kind).get(name, _ABSENT)
    if _takes_attributes(kind):
        setattr(kind, name, value)
    else:
        _set_in_dictionary(kind, name, value)

    def undo() -> None:
        if vars(kind).get(name) is not value:
            return
        if not _takes_attributes(kind):
            _set_in_dictionary(kind, name, own)
        elif own is _ABSENT:
            delattr(kind, name)
        else:
            setattr(kind, name, own)

    hooks.on_removal(undo)


def _takes_attributes(kind: type) -> bool:
    return bool(kind.__flags__ & _HEAP) and not kind.__flags__ & _IMMUTABLE


def _set_in_dictionary(kind: type, name: str, value: Any) -> None:
    """Set an attribute of a class written in C: in its namespace dict, then invalidate the interpreter's type cache."""
    (dictionary,) = (held for held in gc.get_referents(vars(kind)) if type(held) is dict)
    own: Dict[str, Any] = dictionary
    before = own.get(name, _ABSENT)
    own[name] = value
    _forget_lookups(kind)
    if vars(kind).get(name) is not value:
        own.pop(name) if before is _ABSENT else own.update({name: before})
        raise TypeError(f"the class {kind.__name__} does not take another {name}")


def _forget_lookups(kind: type) -> None:
    """Invalidate what the interpreter has cached of a class: setting `__abstractmethods__` does, on any class.

    `ctypes` could call `PyType_Modified`, but to load it opens a file for good where libffi is new (seen with 3.8).
    """
    abstract = vars(type)["__abstractmethods__"]
    abstract.__set__(kind, frozenset())
    abstract.__delete__(kind)
