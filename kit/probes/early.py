"""What a guard that is loaded too late cannot judge: connections that are open already, and a fork server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple

from .drivers import ADAPTERS, CONNECTIONS
from .objects import held_by
from .own import gc, sys
from .own import own_builtins as __builtins__  # noqa: F401

if TYPE_CHECKING:
    from .guarding import Guard

_ADAPTERS = {kind: adapter for adapter in ADAPTERS for kind in adapter.connections}
_TOOLS = ("coverage", "testmon", "IPython")  # these keep their own data in SQLite
_FIRST = "Load the guard first: name it before all other plugins (-p kit-db-guard at the beginning of addopts)."


def opened_before(guard: "Guard") -> List[str]:
    """Return messages about open connections that are off the allow-list, and the remedy; [] if there are none.

    With any message, the run cannot be guarded.
    """
    found = [f"{name}{holder} was opened before the guard was loaded." for name, holder in _connections(guard)]
    forks = held_by(sys.modules.get("multiprocessing.forkserver")).get("_forkserver")
    if getattr(forks, "_forkserver_pid", None) is not None:
        found.append(
            "The fork server of multiprocessing was started before the guard was loaded: its processes would not be "
            "guarded."
        )
    return [*dict.fromkeys(found), _FIRST] if found else []


def _connections(guard: "Guard") -> Iterator[Tuple[str, str]]:
    kinds = _kinds()
    if not kinds:
        return
    classes = tuple(kinds)
    for thing in gc.get_objects():
        if issubclass(type(thing), classes):  # isinstance would call __class__ of a mock
            kind = next(kinds[known] for known in type(thing).__mro__ if known in kinds)
            name = _not_allowed(guard, kind, thing)
            if name is not None:
                holders = list(_holders(thing))
                if not any(holder.partition(".")[0] in _TOOLS for holder in holders):
                    yield name, f", held by the module {holders[0]}," if holders else ""


def _kinds() -> Dict[type, Tuple[str, str]]:
    loaded = [(module, name) for module, name in CONNECTIONS if module in sys.modules]
    found = {(module, name): held_by(sys.modules[module]).get(name) for module, name in loaded}
    return {kind: names for names, kind in found.items() if isinstance(kind, type)}


def _not_allowed(guard: "Guard", kind: Tuple[str, str], connection: Any) -> Optional[str]:
    """Return the destination of a connection if it is open and off the allow-list; else None."""
    try:
        return _ADAPTERS[kind].disallowed_destination(connection, guard.allow)
    except Exception as error:  # closed, owned by another thread, or without an answer
        return None if "closed" in str(error).lower() else f"A connection of {kind[0]} to an unknown database"


def _holders(thing: Any) -> Iterator[str]:
    """Yield the names of the modules whose globals or objects hold an object."""
    for referrer in gc.get_referrers(thing):
        if type(referrer) is dict and isinstance(referrer.get("__name__"), str):
            yield referrer["__name__"]
        elif type(referrer).__module__ not in ("builtins", __name__):
            yield str(type(referrer).__module__)
