"""A change of copied names: who copied a global gets what it is set to."""

from __future__ import annotations

from typing import Any, Callable, Iterator

from ..own import functools, sys, types
from ..own import own_builtins as __builtins__  # noqa: F401
from .change import Change


def rebind_copies(change: Change) -> None:
    """Whoever copied a global gets what it is set to."""
    name = change.fields["name"]

    def watch(module: Any) -> None:
        class Watched(types.ModuleType):
            def __setattr__(self, attribute: str, value: Any) -> None:
                before = vars(self).get(attribute)
                super().__setattr__(attribute, value)
                if attribute == name and before is not None:
                    for put in _holders(self, before):
                        put(value)
                        change.took_hold()

        module.__class__ = Watched

    change.hooks.when_imported(change.fields["module"], watch)


def _holders(origin: Any, value: Any) -> Iterator[Callable[[Any], None]]:
    """Give a way to put something else wherever other modules hold `value`, or what is bound to it."""
    for module in list(sys.modules.values()):
        for name, held in list((getattr(module, "__dict__", None) or {}).items()):
            if held is value and module is not origin:
                yield functools.partial(vars(module).__setitem__, name)
            elif isinstance(held, types.FunctionType):
                yield from _in_defaults(held, value)
            elif isinstance(held, type) and held.__module__ == getattr(module, "__name__", None):
                yield from _in_class(held, value)
            elif isinstance(getattr(held, "kw", None), dict) and held.kw.get("bind") is value:
                yield functools.partial(held.kw.__setitem__, "bind")


def _in_class(kind: type, value: Any) -> Iterator[Callable[[Any], None]]:
    for name, held in list(vars(kind).items()):
        if held is value:
            yield functools.partial(setattr, kind, name)
        elif isinstance(held, types.FunctionType):
            yield from _in_defaults(held, value)


def _in_defaults(function: Any, value: Any) -> Iterator[Callable[[Any], None]]:
    def put(instead: Any) -> None:
        function.__defaults__ = tuple(instead if held is value else held for held in function.__defaults__)

    if any(held is value for held in function.__defaults__ or ()):
        yield put
    for name, held in (function.__kwdefaults__ or {}).items():
        if held is value:
            yield functools.partial(function.__kwdefaults__.__setitem__, name)
