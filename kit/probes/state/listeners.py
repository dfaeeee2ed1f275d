"""The listeners of SQLAlchemy's classes, such as those of every Session or every Pool, which its registry leads to.

An event is identified by its name, because one to which nothing has listened yet is not in the registry.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Optional

from ..objects import held_by, qualname_of
from ..own import own_builtins as __builtins__  # noqa: F401
from ..own import sys
from .values import Content, Entries, Holder, Kind, Parts

NEW: Entries = {"": Content([])}  # of an event to which nothing listens
_REGISTRY = "sqlalchemy.event.registry"
_BEGINS = "the listeners of "


def holders() -> Iterator[Holder]:
    """Yield a holder for each event of a class to which something listens."""
    for name in _events():
        yield Holder(name, name, LISTENERS)


def named(name: str) -> Optional[Holder]:
    """Return the holder of a class's event, even of one to which nothing listens; None if the name is no event's."""
    return Holder(name, name, LISTENERS) if name.startswith(_BEGINS) else None


def _registered() -> Any:
    """Return the registry: its keys are references to the collections of listeners."""
    return held_by(sys.modules.get(_REGISTRY)).get("_collection_to_key") or {}


def _events() -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    for reference in list(_registered()):
        event = reference()
        if qualname_of(type(event)) == "_ClsLevelDispatch":
            found[f"{_BEGINS}{event.clsname}.{event.name}"] = event
    return found


def _by_class(name: str) -> Dict[Any, Any]:
    """Return the listeners of each class: a subclass has a list of its own."""
    event = _events().get(name)
    return {} if event is None else dict(event._clslevel.items())


def _each_once(lists: Dict[Any, Any]) -> List[Any]:
    return list({id(listener): listener for listeners in lists.values() for listener in listeners}.values())


def _read(name: str) -> Entries:
    return {"": Content(_each_once(_by_class(name)))}


def _remember(name: str) -> Dict[Any, List[Any]]:
    return {kind: list(listeners) for kind, listeners in _by_class(name).items()}


def _write(name: str, label: str, value: Content) -> None:
    _restore(name, label, value, {})


def _restore(name: str, label: str, value: Content, memory: Dict[Any, List[Any]]) -> None:
    """Give each class the listeners that it had, and one that has come since those of them that were there."""
    kept = {id(listener) for listener in value.values}
    for kind, listeners in _by_class(name).items():
        wanted = memory.get(kind, [one for one in listeners if id(one) in kept])
        listeners.clear()
        listeners.extend(wanted)


def _asker(name: str, label: str) -> Callable[[], Any]:
    """Return a function that reads the listeners; the event is searched for again when the registry grows."""
    seen: List[Any] = [None, -1]  # the event, and the size of the registry at the last search

    def ask() -> Any:
        if seen[0] is None and len(_registered()) != seen[1]:
            seen[:] = _events().get(name), len(_registered())
        return Parts(() if seen[0] is None else _each_once(dict(seen[0]._clslevel.items())))

    return ask


LISTENERS = Kind(_read, _write, _remember, _restore, _asker)
