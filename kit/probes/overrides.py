"""Dependency overrides: when and by whom each is set, replaced and removed."""

from __future__ import annotations

from typing import Any, Callable, Dict, Tuple
from weakref import ReferenceType, ref

from .objects import address
from .own import own_builtins as __builtins__  # noqa: F401
from .own import sys

Seen = Tuple["ReferenceType[Any]", Dict[Any, int]]  # an application, and what its dictionary held
Tell = Callable[[str, Any, Any, Any], None]  # op, application, key, what stands in for it


class OverridesAttribute:
    """Stands in for `dependency_overrides` of each application, so that also a whole new dictionary is seen.

    The dictionary that an application makes for itself is replaced by one that tells of its changes. One that comes
    from elsewhere stays the very object that it is, for others may hold it: it is compared whenever it is looked at.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._name = "dependency_overrides"
        self._seen: Dict[int, Seen] = {}

    def __get__(self, app: Any, owner: Any = None) -> Any:
        if app is None:
            return self
        try:
            overrides = vars(app)[self._name]
        except KeyError:
            raise AttributeError(f"{type(app).__name__!r} object has no attribute {self._name!r}") from None
        if type(overrides) is dict:
            self._compare(app, overrides)
        return overrides

    def __set__(self, app: Any, value: Any) -> None:
        own = vars(app)
        before = own.get(self._name)
        if value is before and before is not None:
            return
        if before is None and type(value) is dict and not value and _is_the_applications_own():
            value = WatchedOverrides()
            value.watch(self._tell, app)
        own[self._name] = value
        self._changed(app, _ids(before) if isinstance(before, dict) else {}, value)

    def __delete__(self, app: Any) -> None:
        del vars(app)[self._name]

    def _compare(self, app: Any, overrides: Dict[Any, Any]) -> None:
        pointer, seen = self._seen.get(address(app), (None, {}))
        if pointer is None or pointer() is not app:
            seen = {}
        if len(seen) != len(overrides) or any(address(overrides.get(key, seen)) != by for key, by in seen.items()):
            self._changed(app, seen, overrides)

    def _changed(self, app: Any, before: Dict[Any, int], after: Any) -> None:
        """Tell what is different now; `before` has the id of what stood for each key."""
        now = dict(dict.items(after)) if isinstance(after, dict) else {}
        if type(after) is dict:
            self._seen[address(app)] = ref(app), _ids(after)
        else:
            self._seen.pop(address(app), None)
        for key in before:
            if key not in now:
                self._tell("removed", app, key, None)
        for key, by in now.items():
            if key not in before:
                self._tell("set", app, key, by)
            elif before[key] != address(by):
                self._tell("replaced", app, key, by)


def _ids(overrides: Any) -> Dict[Any, int]:
    return {key: address(by) for key, by in overrides.items()}


def _is_the_applications_own() -> bool:
    return sys._getframe(2).f_globals.get("__name__") == "fastapi.applications"


class WatchedOverrides(Dict[Any, Any]):
    """The application's dictionary; every change is told of. Copied or pickled it is a plain dictionary."""

    _tell: Tell
    _app: "ReferenceType[Any]"

    def watch(self, tell: Tell, app: Any) -> None:
        self._tell = tell
        self._app = ref(app)

    def _changed(self, op: str, key: Any, by: Any) -> None:
        app = self._app()
        if app is not None:
            self._tell(op, app, key, by)

    def __reduce_ex__(self, protocol: Any) -> Tuple[Any, ...]:
        return dict, (dict(self),)

    def __setitem__(self, key: Any, by: Any) -> None:
        op = "replaced" if key in self else "set"
        super().__setitem__(key, by)
        self._changed(op, key, by)

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        self._changed("removed", key, None)

    def pop(self, key: Any, *default: Any) -> Any:
        held = key in self
        value = super().pop(key, *default)
        if held:
            self._changed("removed", key, None)
        return value

    def popitem(self) -> Any:
        key, value = super().popitem()
        self._changed("removed", key, None)
        return key, value

    def clear(self) -> None:
        keys = list(self)
        super().clear()
        for key in keys:
            self._changed("removed", key, None)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *others: Any, **named: Any) -> None:
        for key, by in dict(*others, **named).items():
            self[key] = by

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc]
        self.update(other)
        return self
