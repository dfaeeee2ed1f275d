"""Does an engine connect to another database than its URL names? Pure."""

from __future__ import annotations

from urllib.parse import unquote

from kit.analysis.reach import Reach
from kit.probes.allow import place_of
from kit.probes.places import place

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "::1")


def connects_elsewhere(reach: Reach) -> bool:
    """Whether the engine of a reach names another database than the one that was connected."""
    engine = reach.engine
    named_there = place(engine.url) if engine is not None else None
    if engine is None or named_there is None or not named_there[3]:
        return False
    if (engine.dialect == "sqlite") != (reach.database.kind == "sqlite"):
        return False
    if reach.database.path is not None:
        name = named_there[3].lstrip("/.")
        gone_to_files = reach.database.path, reach.connection.configured  # a link leads to another name
        return not name.startswith("file:") and not any(file.endswith(name) for file in gone_to_files)
    wanted, gone_to = place_of(engine.url), place_of(reach.connection.configured)
    if not wanted.host or not gone_to.host or "host=" in engine.url.partition("?")[2]:
        return False
    other_host = wanted.host != gone_to.host and not {wanted.host, gone_to.host} <= set(_LOCAL_HOSTS)
    other_port = bool(gone_to.port) and gone_to.port != wanted.port
    return other_host or other_port or gone_to.database not in ("", wanted.database, unquote(wanted.database))
