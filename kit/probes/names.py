"""Names that hold an engine, a session factory, a pool or an application: which share one, and which are rebound.

Compared between the phases of each test: the phase of a change is known, the line is not.
"""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from .drivers import CONNECTIONS, POOLS
from .frames import APPLICATION, owner
from .loaded import application_modules, newest_module
from .objects import (
    Notes,
    Objects,
    address,
    attribute,
    bases,
    held_by,
    is_a,
    module_of,
    name_of,
    pointer_to,
    qualname_of,
    space_of,
)
from .own import own_builtins as __builtins__  # noqa: F401
from .own import sys
from .quiet import quietly
from .recorder import Recorder

_KINDS = {
    ("sqlalchemy.engine.base", "Engine"), ("sqlalchemy.ext.asyncio.engine", "AsyncEngine"),
    ("sqlalchemy.orm.session", "sessionmaker"), ("sqlalchemy.ext.asyncio.session", "async_sessionmaker"),
    ("sqlalchemy.orm.scoping", "scoped_session"), ("sqlalchemy.ext.asyncio.scoping", "async_scoped_session"),
    ("sqlalchemy.orm.session", "Session"), ("sqlalchemy.ext.asyncio.session", "AsyncSession"),
    ("sqlalchemy.engine.base", "Connection"), ("sqlalchemy.ext.asyncio.engine", "AsyncConnection"),
    *CONNECTIONS, *POOLS,
    ("databases.core", "Database"), ("starlette.applications", "Starlette"),
}
_VALUES_AT_MOST = 50  # of a dictionary; larger ones are not searched

Place = Tuple[str, str]  # module or application, name


class Held:
    """The object that a name holds, by a weak reference."""

    __slots__ = ("described", "engine", "id", "is_bound_for_good", "pointer")

    def __init__(self, value: Any, engine: Optional[str], described: Dict[str, Any]) -> None:
        self.id, self.engine, self.described = address(value), engine, described
        self.is_bound_for_good = False  # true for an engine, which cannot be bound to another
        self.pointer = pointer_to(value)

    def holds(self, value: Any) -> bool:
        """Return whether `value` is this very object; False for objects without weak references."""
        return self.pointer is not None and self.pointer() is value

    def is_still(self, value: Any, engine: Optional[str]) -> bool:
        if self.pointer is not None and self.pointer() is not value:
            return False
        return self.id == address(value) and self.engine == engine


class _Space:
    """The globals of a module, their `count` when last examined, and the `slots` that can hold such an object."""

    __slots__ = ("count", "globals", "module", "slots")

    def __init__(self, module: ModuleType) -> None:
        self.module, self.globals, self.count = pointer_to(module), held_by(module), -1
        self.slots: List[str] = []

    def is_of(self, module: Any) -> bool:
        """Return whether this very module is meant, and not another one of its name."""
        return self.module is not None and self.module() is module


class NamesProbe:
    """Watches the globals of the application's modules, the attributes of its own objects in them, and `app.state`."""

    def __init__(self, recorder: Recorder, objects: Objects, apps: Callable[[], List[Any]]) -> None:
        self._recorder, self._objects, self._apps = recorder, objects, apps
        self._of_type: "Notes[bool]" = Notes()
        self._of_sqlalchemy: "Notes[bool]" = Notes()
        self._newest: Tuple[Any, ...] = ()
        self._spaces: Dict[str, _Space] = {}
        self._held: Dict[Place, Held] = {}

    @quietly
    def check(self) -> None:
        """Compare what the names hold with the previous check, and record the differences."""
        before, now = self._held, {}
        for place, value in self._look():
            old = before.get(place)
            if old is not None and old.is_bound_for_good and old.holds(value):
                now[place] = old
                continue
            engine = self._engine_of(value)
            if old is not None and old.is_still(value, engine):
                now[place] = old
            else:
                now[place] = held = Held(value, engine, self._describe(value, engine))
                held.is_bound_for_good = engine is not None and _is_an_engine(type(value))
                self._report(place, "rebound" if old is not None else "held", held, old)
        for place, old in before.items():
            if place not in now:
                self._report(place, "unbound", None, old)
        self._held = now

    def _report(self, place: Place, op: str, held: Optional[Held], old: Optional[Held]) -> None:
        self._recorder.event(
            "name", stack=(), apart=place, op=op, module=place[0], name=place[1],
            holds=held and held.described, held_before=old and old.described,
        )

    # --- where to look -----------------------------------------------------------------------------------------------

    def _look(self) -> Iterator[Tuple[Place, Any]]:
        for module, space in self._modules():
            for name in space.slots:
                value = space.globals.get(name)
                if value is None:
                    continue
                if self._is_one(type(value)):
                    yield (module, name), value
                else:
                    for inner, held in _within(value):
                        if self._is_one(type(held)):
                            yield (module, f"{name}{inner}"), held
        for app in self._apps():
            state = held_by(held_by(app).get("state")).get("_state")
            for name, value in list(state.items()) if type(state) is dict else ():
                for inner, held in (("", value),) if self._is_one(type(value)) else _within(value):
                    if self._is_one(type(held)):
                        yield (f"app {self._objects.of('app', app)}", f"state.{name}{inner}"), held

    def _modules(self) -> List[Tuple[str, _Space]]:
        """Return the application's modules; their slots are updated when the number of their globals has changed."""
        newest = newest_module()
        if newest != self._newest:
            self._newest = newest
            for name, module in application_modules():
                if name not in self._spaces:
                    self._spaces[name] = _Space(module)
        loaded = sys.modules.get
        changed = [  # a loop over all modules at each phase of a test: is_of, without a call for each
            (name, space) for name, space in self._spaces.copy().items()
            if space.module is None or space.module() is not loaded(name) or space.count != len(space.globals)
        ]
        for name, space in changed:
            self._update(name, space, loaded(name))
        return [(name, space) for name, space in self._spaces.copy().items() if space.slots]

    def _update(self, name: str, space: _Space, loaded: Any) -> None:
        if not space.is_of(loaded):
            if not is_a(loaded, ModuleType):
                self._spaces.pop(name, None)
                return
            self._spaces[name] = space = _Space(loaded)
        space.count = len(space.globals)
        space.slots = [slot for slot, value in list(space.globals.items()) if self._can_hold(value)]

    def _can_hold(self, value: Any) -> bool:
        if value is None or self._is_one(type(value)) or _is_an_object_of_the_applications(value):
            return True
        return any(self._is_one(type(held)) for _, held in _within(value))

    # --- what it is --------------------------------------------------------------------------------------------------

    def _is_of_sqlalchemy(self, type_: type) -> bool:
        known = self._of_sqlalchemy.get(type_)
        if known is None:
            known = any(module_of(base).startswith("sqlalchemy.") for base in bases(type_))
            self._of_sqlalchemy.set(type_, known)
        return known

    def _is_one(self, type_: type) -> bool:
        """Return whether a type is one of _KINDS, or a subclass of one."""
        known = self._of_type.get(type_)
        if known is None:
            known = any((module_of(base), qualname_of(base)) in _KINDS for base in bases(type_))
            self._of_type.set(type_, known)
        return known

    def _describe(self, value: Any, engine: Optional[str]) -> Dict[str, Any]:
        return {
            "object": self._objects.of("held", value) or self._objects.new("held", value),
            "type": name_of(type(value)), "engine": engine, "app": self._objects.of("app", value),
        }

    def _engine_of(self, value: Any) -> Optional[str]:
        """Return the name of the engine that an object is, or is bound to; None without one."""
        found = self._objects.of("engine", value)
        if found is not None or not self._is_of_sqlalchemy(type(value)):
            return found
        bound = attribute(value, "session_factory", value)  # of a scoped session
        keywords = attribute(bound, "kw")
        bind = keywords.get("bind") if type(keywords) is dict else attribute(bound, "bind")
        for candidate in (value, bind):
            sync = attribute(candidate, "sync_engine", candidate)
            dialect = attribute(sync, "dialect")
            if dialect is not None:
                return self._objects.of("engine", dialect)
        return None


def _is_an_engine(type_: type) -> bool:
    return name_of(type_) in ("sqlalchemy.engine.base.Engine", "sqlalchemy.ext.asyncio.engine.AsyncEngine")


def _is_the_applications(module: ModuleType) -> bool:
    file = held_by(module).get("__file__")
    return type(file) is str and owner(file) is APPLICATION


def _is_an_object_of_the_applications(value: Any) -> bool:
    kind = type(value)
    return not issubclass(kind, (type, ModuleType, FunctionType)) and _is_of_the_applications(kind)


def _is_of_the_applications(kind: type) -> bool:
    module: Any = sys.modules.get(module_of(kind))
    return is_a(module, ModuleType) and _is_the_applications(module)


def _within(value: Any) -> Iterator[Tuple[str, Any]]:
    """Yield the objects that a global holds, without calling it: attributes, defaults of parameters, dictionary values.

    Each comes with the suffix to the global's name that leads to it: `.engine`, `(sessions=)`, `['main']`.
    """
    kind = type(value)
    if kind is FunctionType:
        for name, default in _defaults(value):
            yield f"({name}=)", default
    elif issubclass(kind, type):
        for name, held in list(space_of(value).items()) if _is_of_the_applications(value) else ():
            yield f".{name}", held
            for inner, default in _defaults(held) if type(held) is FunctionType else ():
                yield f".{name}({inner}=)", default
    elif kind is dict:
        for key, held in list(value.items()) if len(value) <= _VALUES_AT_MOST else ():
            yield f"[{_shown(key):.40}]", held
    elif _is_an_object_of_the_applications(value):
        for name, held in list(held_by(value).items()):
            yield f".{name}", held


def _shown(key: Any) -> str:
    """Return the repr of a key of a built-in type, else the name of its type: its own repr must not be called."""
    return repr(key) if type(key) in (str, int, bytes, float, bool, type(None)) else f"<{qualname_of(type(key))}>"


def _defaults(function: FunctionType) -> Iterator[Tuple[str, Any]]:
    code, defaults = function.__code__, function.__defaults__ or ()
    yield from zip(code.co_varnames[code.co_argcount - len(defaults):code.co_argcount], defaults)
    yield from (function.__kwdefaults__ or {}).items()
