"""Watching a method of a class, whose objects keep their class, whatever made them and when.

The class of a driver that is written in C takes no attribute; its dictionary does. What is put there for a method is
not called in its place: it is asked for the method as an object's attribute, and passes on the method itself, so that
errors, warnings and signatures are the driver's own, as if nobody were there. A method that is taken from the class
(`Connection.execute`) is the driver's own, too, and is heard of only where that is asked for.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

from ..hooks import Hooks
from ..own import functools, gc
from ..own import own_builtins as __builtins__  # noqa: F401

_IMMUTABLE, _HEAP = 1 << 8, 1 << 9  # flags of a class
_ABSENT = object()


class Heard:
    """Stands in a class for one of its methods. `hear(object, method)` is called as an object is asked for it.

    What it returns is the method; where that is None, it is the driver's own. With `from_class` what the class itself
    is asked for calls the method of the object that it is given first.
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
    """Return a method of a class as the driver has it, to be called without being heard of."""
    held = next(vars(base)[name] for base in kind.__mro__ if name in vars(base))
    return held.own if isinstance(held, Heard) else held


def hear_of(
    hooks: Hooks, kind: type, name: str, hear: Callable[[Any, Any], Any], from_class: bool = False,
) -> None:
    """Call `hear` whenever an object of this class is asked for the method, until removal."""
    owner = next((base for base in kind.__mro__ if name in vars(base)), object)
    own = vars(owner).get(name)
    if own is not None and not isinstance(own, Heard):  # a class can be met twice, as a module is that is reloaded
        put(hooks, owner, name, Heard(own, hear, from_class))


def put(hooks: Hooks, kind: type, name: str, value: Any) -> None:
    """Give a class an attribute in place of the one that it has, until removal; a class that takes none as well."""
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
    """Change a class of C's: its own dictionary, and then what the interpreter has looked up in it before."""
    from ctypes import py_object, pythonapi

    (dictionary,) = (held for held in gc.get_referents(vars(kind)) if type(held) is dict)
    own: Dict[str, Any] = dictionary
    before = own.get(name, _ABSENT)
    own[name] = value
    pythonapi.PyType_Modified(py_object(kind))
    if vars(kind).get(name) is not value:
        own.pop(name) if before is _ABSENT else own.update({name: before})
        raise TypeError(f"the class {kind.__name__} does not take another {name}")
