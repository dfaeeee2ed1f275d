"""An intervention on copies of a global: they follow assignments to the original."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterator

from ..objects import held_by, is_a, module_of, space_of
from ..own import functools, sys, types
from ..own import own_builtins as __builtins__  # noqa: F401
from .base import Intervention, Rerun


@dataclass(frozen=True)
class RebindCopies(Intervention):
    """An assignment to a module's global also rebinds its copies (`from module import name`)."""

    op = "rebind-copies"
    module: str
    name: str

    @property
    def label(self) -> str:
        return f"with the copies of {self.module}.{self.name} rebound with it"

    def apply(self, rerun: Rerun) -> None:
        name = self.name

        def watch(module: Any) -> None:
            class Watched(types.ModuleType):
                def __setattr__(self, attribute: str, value: Any) -> None:
                    before = vars(self).get(attribute)
                    super().__setattr__(attribute, value)
                    if attribute == name and before is not None:
                        for put in _holders(self, before):
                            put(value)
                            rerun.record_effect()

            module.__class__ = Watched

        rerun.hooks.when_imported(self.module, watch)


def _holders(origin: Any, value: Any) -> Iterator[Callable[[Any], None]]:
    """Yield a setter for each copy of `value` in other modules, and for each session factory bound to it."""
    for module in list(sys.modules.values()):
        space = held_by(module)
        for name, held in list(space.items()):
            if held is value and module is not origin:
                yield functools.partial(space.__setitem__, name)
            elif is_a(held, types.FunctionType):
                yield from _in_defaults(held, value)
            elif is_a(held, type):
                if module_of(held) == space.get("__name__"):
                    yield from _in_class(held, value)
            else:
                yield from _in_factory(held, value)


def _in_factory(held: Any, value: Any) -> Iterator[Callable[[Any], None]]:
    """Yield a setter for a session factory bound to the value. Other objects' attributes are not read."""
    settings: Any = held_by(held).get("kw")
    if is_a(settings, dict) and settings.get("bind") is value:
        yield functools.partial(settings.__setitem__, "bind")


def _in_class(kind: type, value: Any) -> Iterator[Callable[[Any], None]]:
    for name, held in list(space_of(kind).items()):
        if held is value:
            yield functools.partial(setattr, kind, name)
        elif is_a(held, types.FunctionType):
            yield from _in_defaults(held, value)


def _in_defaults(function: Any, value: Any) -> Iterator[Callable[[Any], None]]:
    def put(instead: Any) -> None:
        function.__defaults__ = tuple(instead if held is value else held for held in function.__defaults__)

    if any(held is value for held in function.__defaults__ or ()):
        yield put
    for name, held in (function.__kwdefaults__ or {}).items():
        if held is value:
            yield functools.partial(function.__kwdefaults__.__setitem__, name)
