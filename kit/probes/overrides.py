"""Dependency overrides: each is recorded with its stack when it is set, replaced or removed."""

from __future__ import annotations

from types import FrameType
from typing import Any, Callable, Dict, List, Optional, Tuple
from weakref import ReferenceType, ref

from .hooks import out_of_traceback
from .objects import Notes, address, held_by, is_a
from .own import own_builtins as __builtins__  # noqa: F401
from .own import sys
from .quiet import quietly

Seen = Dict[int, Tuple[Any, int]]  # id of a key -> the key, id of its value
Tell = Callable[..., None]  # op, application, key, override; `stack=()` if the stack is unknown

NAME = "dependency_overrides"


class Overrides:
    """Follows `dependency_overrides` of each application, even if a new dict is assigned to it.

    The dict that an application creates is replaced by one that reports its changes. A dict from elsewhere is kept,
    since others may hold it, too: `look` compares it with its previous content.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._seen: "Notes[Seen]" = Notes()

    def assigning(self, original: Any) -> Any:
        """Make the wrapper for the `__setattr__` of applications."""
        probe = self

        def __setattr__(app: Any, name: str, value: Any) -> None:
            __tracebackhide__ = True
            before = None
            if name == NAME:
                before = probe._held(app)
                watched = probe._watched(app, before, value, sys._getframe(1))
                value = value if watched is None else watched
            try:
                original(app, name, value)
            except BaseException as error:
                out_of_traceback(error)
                raise
            if before is not None:
                probe._assigned(app, before, value)
        return __setattr__

    @quietly
    def look(self, app: Any) -> None:
        """Report changes of a dict that does not report them itself, or that was put in without an assignment."""
        overrides = held_by(app).get(NAME)
        if type(overrides) is WatchedOverrides and overrides.is_of(app):
            return
        seen = self._seen.get(app) or {}
        if seen != _seen_in(overrides):
            self._changed(app, seen, overrides, stack=())

    @quietly
    def _held(self, app: Any) -> Seen:
        return _seen_in(held_by(app).get(NAME))

    @quietly
    def _watched(self, app: Any, before: Optional[Seen], value: Any, caller: Optional[FrameType]) -> Any:
        """Return the reporting dict that replaces one created by FastAPI itself; None for any other."""
        if before or NAME in held_by(app) or type(value) is not dict or value or not _is_fastapis(caller):
            return None
        watched = WatchedOverrides()
        watched.watch(self._tell, app)
        return watched

    @quietly
    def _assigned(self, app: Any, before: Seen, value: Any) -> None:
        self._changed(app, before, value)

    def _changed(self, app: Any, before: Seen, after: Any, **more: Any) -> None:
        """Report the differences to the previous content."""
        now = _seen_in(after)
        self._seen.set(app, now)
        for place, (key, _) in before.items():
            if place not in now:
                self._tell("removed", app, key, None, **more)
        for place, (key, by) in now.items():
            if place not in before:
                self._tell("set", app, key, _value_at(after, by), **more)
            elif before[place][1] != by:
                self._tell("replaced", app, key, _value_at(after, by), **more)


def _seen_in(overrides: Any) -> Seen:
    held = dict.items(overrides) if is_a(overrides, dict) else ()
    return {address(key): (key, address(by)) for key, by in held}


def _value_at(overrides: Any, where: int) -> Any:
    return next((by for by in dict.values(overrides) if address(by) == where), None)


def _is_fastapis(caller: Optional[FrameType]) -> bool:
    while caller is not None and caller.f_code.co_name == "__setattr__":  # of a subclass of FastAPI
        caller = caller.f_back
    return caller is not None and caller.f_globals.get("__name__") == "fastapi.applications"


class WatchedOverrides(Dict[Any, Any]):
    """The overrides of an application; reports every change. A copy, or an unpickled one, is a plain dict.

    Changes are found by comparing contents by identity, so that no key is hashed or compared more often than usual.
    """

    _tell: Tell
    _app: "ReferenceType[Any]"

    def watch(self, tell: Tell, app: Any) -> None:
        self._tell = tell
        self._app = ref(app)

    def is_of(self, app: Any) -> bool:
        """Return whether this reports on that application."""
        return self._app() is app

    def _do(self, change: Callable[..., Any], *args: Any, **named: Any) -> Any:
        __tracebackhide__ = True
        before = list(dict.items(self))
        try:
            return change(self, *args, **named)
        except BaseException as error:
            out_of_traceback(error)
            raise
        finally:
            self._compare(before)

    @quietly
    def _compare(self, before: List[Tuple[Any, Any]]) -> None:
        """Report the differences, based on the order: remaining keys keep their position, new ones come last."""
        app, now = self._app(), list(dict.items(self))
        if app is None:
            return
        place = 0
        for key, by in before:
            if place < len(now) and now[place][0] is key:
                if now[place][1] is not by:
                    self._tell("replaced", app, key, now[place][1])
                place += 1
            else:
                self._tell("removed", app, key, None)
        for key, by in now[place:]:
            self._tell("set", app, key, by)

    def __reduce_ex__(self, protocol: Any) -> Tuple[Any, ...]:
        return dict, (dict(self),)

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc]
        self.update(other)
        return self


def _reporting(name: str) -> Any:
    change = getattr(dict, name)

    def call(overrides: Any, *args: Any, **named: Any) -> Any:
        __tracebackhide__ = True
        try:
            return overrides._do(change, *args, **named)
        except BaseException as error:
            out_of_traceback(error)
            raise

    call.__name__ = name
    call.__qualname__ = f"WatchedOverrides.{name}"
    call.__doc__ = change.__doc__
    return call


for _name in ("__setitem__", "__delitem__", "pop", "popitem", "clear", "setdefault", "update"):
    setattr(WatchedOverrides, _name, _reporting(_name))
