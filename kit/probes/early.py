"""What had connected before the guard came in, or has kept what connects: it would go on unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple

from .drivers import CONNECTIONS
from .drivers.asking import postgres_place
from .drivers.methods import own_method
from .own import gc, os, sys
from .own import own_builtins as __builtins__  # noqa: F401
from .redact import redact

if TYPE_CHECKING:
    from .guarding import Guard

_TOOLS = ("coverage", "testmon", "IPython")  # they keep what they know in SQLite
_FIRST = "Have the guard come in first: name it before all other plugins (-p kit-db-guard at the beginning of addopts)."


def opened_before(guard: "Guard") -> List[str]:
    """Say which connections are open that the list does not allow; the run cannot be guarded."""
    found = [f"{name} was opened before it{holder}." for name, holder in _connections(guard)]
    forks = getattr(sys.modules.get("multiprocessing.forkserver"), "_forkserver", None)
    if getattr(forks, "_forkserver_pid", None) is not None:
        found.append("multiprocessing's fork server was started before it, and would start processes without it.")
    return [*dict.fromkeys(found), _FIRST] if found else []


def _connections(guard: "Guard") -> Iterator[Tuple[str, str]]:
    kinds = _kinds()
    if not kinds:
        return
    classes = tuple(kinds)
    for thing in gc.get_objects():
        if issubclass(type(thing), classes):  # isinstance would ask a stand-in what it stands for
            kind = next(kinds[known] for known in type(thing).__mro__ if known in kinds)
            name = _not_allowed(guard, kind, thing)
            if name is not None:
                holders = list(_holders(thing))
                if not any(holder.partition(".")[0] in _TOOLS for holder in holders):
                    yield name, f", in {holders[0]}" if holders else ""


def _kinds() -> Dict[type, Tuple[str, str]]:
    loaded = [(module, name) for module, name in CONNECTIONS if module in sys.modules]
    found = {(module, name): vars(sys.modules[module]).get(name) for module, name in loaded}
    return {kind: names for names, kind in found.items() if isinstance(kind, type)}


def _not_allowed(guard: "Guard", kind: Tuple[str, str], connection: Any) -> Optional[str]:
    """Return what a connection leads to, if it is open and nothing on the list allows that."""
    try:
        if kind[0].startswith("sqlite3"):
            file = _file_of(connection)
            return None if guard.allow.allows_file(file) else str(file)
        place = _PLACES[kind[0].partition(".")[0]](connection)
        return None if place is None or guard.allow.allows_server(place, None) else redact(place)
    except Exception as error:  # closed, another thread's, or of a kind that does not tell
        return None if "closed" in str(error).lower() else f"a connection of {kind[0]}"


def _file_of(connection: Any) -> Optional[str]:
    from sqlite3 import Connection

    rows = own_method(Connection, "execute")(connection, "pragma database_list").fetchall()
    file = next((row[2] for row in rows if row[1] == "main"), "")
    return os.path.realpath(file) if file else None


def _psycopg2(connection: Any) -> Optional[str]:
    told = connection.get_dsn_parameters()
    return None if connection.closed else postgres_place(
        (told.get("hostaddr") or told.get("host"), told.get("port")), told.get("user"), told.get("dbname"),
    )


def _psycopg(connection: Any) -> Optional[str]:
    told = connection.info
    return None if connection.closed else postgres_place(
        (told.hostaddr or told.host, told.port), told.user, told.dbname,
    )


def _asyncpg(connection: Any) -> Optional[str]:
    told = connection._params
    return None if connection.is_closed() else postgres_place(connection._addr, told.user, told.database)


_PLACES = {"psycopg2": _psycopg2, "psycopg": _psycopg, "asyncpg": _asyncpg}


def _holders(thing: Any) -> Iterator[str]:
    """Name the modules that hold an object, or whose objects do."""
    for referrer in gc.get_referrers(thing):
        if type(referrer) is dict and isinstance(referrer.get("__name__"), str):
            yield referrer["__name__"]
        elif type(referrer).__module__ not in ("builtins", __name__):
            yield str(type(referrer).__module__)
