"""An allowed database that the run reached, as a URL, path or name to which a re-run can redirect. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.analysis.reach import Reach
from kit.detectors.planning.candidate import NOWHERE, another
from kit.probes.places import place

if TYPE_CHECKING:
    from kit.detectors.planning.context import Context


def allowed_url(context: Context, url: str) -> str:
    """The full URL of an allowed database that the run reached, of the kind of `url`; "" if none is known.

    A password that the evidence does not show is taken from the variable with the same URL.
    """
    for reach in context.allowed_reaches():
        shown = reach.engine.url if reach.engine is not None else reach.connection.configured
        if not reach.database.lives_on or kind_of_url(shown) != kind_of_url(url):
            continue
        if reach.database.path is not None and _is_permanent(reach.database.path, context.case.allowed.folder):
            return f"sqlite:///{reach.database.path}"
        named = place(shown)
        whole = next((value for (_, seen), value in context.values.items() if seen and place(seen) == named), "")
        whole = whole or ("" if "***" in shown else shown)
        if "://" in whole:
            return whole
    return ""


def usable_database(context: Context, value: str) -> str:
    """The database that the tests name if another run can use it; else an allowed one of the same kind, or ""."""
    path = value.partition(":///")[2] if kind_of_url(value) == "sqlite" and "://" in value else value
    if "***" in value or (kind_of_url(value) == "sqlite" and not _is_permanent(path, context.case.allowed.folder)):
        return allowed_url(context, value if "://" in value else "sqlite://")
    return value


def value_instead(context: Context, value: str) -> str:
    """A value of the kind of `value` that names an allowed database, else one that does not exist."""
    there = _allowed_of_kind(context, value)
    if "://" in value and there:
        return there.replace(there.partition("://")[0], value.partition("://")[0], 1)
    return there or another(value)


def naming(context: Context, name: str, value: str) -> str:
    """The label of a re-run in which a variable is set to `value_instead`."""
    there = _allowed_of_kind(context, value).partition("?")[0].rpartition("/")[2]
    return f"with {name} naming {there or 'another database'}"


def kind_of_url(url: str) -> str:
    """The kind of database that a URL, or the path of a file, names."""
    kind = url.partition("://")[0].partition("+")[0] if "://" in url else "sqlite"
    return {"postgres": "postgresql", "mariadb": "mysql"}.get(kind, kind)


def _allowed_of_kind(context: Context, value: str) -> str:
    """The URL, path or name of an allowed database of the kind of a value; "" if none is known."""
    if "://" in value:
        return allowed_url(context, value)
    if another(value) != NOWHERE:  # the value is the path of a file
        return allowed_url(context, "sqlite://").partition(":///")[2]
    servers = {_server(leak.first) for leak in context.case.leaks} - {None}
    named = (place(reach.connection.configured) for reach in context.allowed_reaches() if _server(reach) in servers)
    return next((one[3] for one in named if one is not None and one[3]), "")


def _server(reach: Reach) -> tuple[str, str] | None:
    """Host and port of the server that a connection was configured for; None if it is not a server's."""
    named = place(reach.connection.configured) if "://" in reach.connection.configured else None
    return (named[1], named[2]) if named is not None and any(named[1:3]) else None


def _is_permanent(path: str, folder: str) -> bool:
    """Whether a file also exists in another run: pytest's temporary folders get a new name in each."""
    return "/pytest-of-" not in path.removeprefix(folder)
