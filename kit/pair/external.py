"""A pair that somebody else runs, named by two URLs: never started, and written to only with permission."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from kit.errors import PairError
from kit.pair.model import SIDES, Kind, Pair, Side, SideName

VARIABLES = frozenset(
    {"KIT_PAIR_KIND", "KIT_PAIR_WRITABLE"}
    | {f"KIT_{side.upper()}_{what}" for side in SIDES for what in ("URL", "ADMIN_URL", "LOG")}
)
"""The variables that name a pair, as `Pair.environ` sets them."""
URL_FORM = "postgresql://user:password@host:port/database"


def open_external(production: str, test: str, *, writable: bool = False) -> Pair:
    """The pair behind two URLs; each server is asked for its identity.

    With `writable`, a side without the table `sites` gets it (production with its rows); a side that has it is not
    changed. Raises PairError when both URLs reach one server, under whatever names, or when a URL cannot be used.
    """
    pair = Pair(
        side_from_url("production", production), side_from_url("test", test), kind="external", writable=writable
    )
    refuse_one_server(pair)
    if writable:
        _populate_where_missing(pair)
    return pair


def pair_from_environment(environ: Mapping[str, str] = os.environ) -> Pair | None:
    """The pair named by the variables KIT_PRODUCTION_URL and KIT_TEST_URL, or None when they are not set.

    Raises PairError when only one is set, or both reach one server.
    """
    urls = {side: environ.get(f"KIT_{side.upper()}_URL") for side in SIDES}
    if not any(urls.values()):
        return None
    for side, url in urls.items():
        if not url:
            raise PairError(
                f"KIT_{side.upper()}_URL is not set, though the other side's URL is",
                remedy="set both KIT_PRODUCTION_URL and KIT_TEST_URL, or neither",
            )
    kind = environ.get("KIT_PAIR_KIND", "external")
    production, test = (_from_environment(side, environ) for side in SIDES)
    pair = Pair(production, test, kind=_known_kind(kind), writable=environ.get("KIT_PAIR_WRITABLE") == "1")
    refuse_one_server(pair)
    return pair


def side_from_url(name: SideName, url: str, *, admin: str | None = None, log: Path | None = None) -> Side:
    """One side of a pair, with the identity of its server. Raises PairError for a bad URL or no connection."""
    from kit.pair.connect import identify

    parts = _parts(name, url)
    assert parts.hostname is not None
    assert parts.username is not None
    user, password = unquote(parts.username), unquote(parts.password or "")
    database = unquote(parts.path.lstrip("/")) or user
    plain = parts._replace(scheme="postgresql").geturl()
    if admin is not None:
        _parts(f"{name}'s superuser", admin)
    return Side(name, parts.hostname, parts.port or 5432, database, user, password, admin, identify(plain), log)


def _parts(name: str, url: str) -> SplitResult:
    """Split a URL. Raises PairError when it names no user or host, or is malformed."""
    from kit.probes.redact import redact

    try:
        parts = urlsplit(url)
        usable = parts.scheme.split("+")[0] in ("postgresql", "postgres") and parts.port != 0
        usable = usable and None not in (parts.hostname, parts.username) and "\0" not in unquote(url)
    except ValueError:  # unbalanced brackets, or a port that is not a number
        usable = False
    if not usable:
        raise PairError(
            f"the URL of {name} is {redact(url)}",
            wanted=URL_FORM,
            remedy="correct the URL; escape special characters in it",
        )
    return parts


def refuse_one_server(pair: Pair) -> None:
    """Raise PairError when both sides report the same server identity, however the URLs are written."""
    production, test = pair.sides
    if production.identity.server == test.identity.server:
        raise PairError(
            f"{production.redacted} and {test.redacted} are one server ({production.identity.server})",
            wanted="two servers, because the failure is about reaching the wrong one",
            remedy="name two servers, or leave out both URLs and let the kit start its own",
        )


def _from_environment(name: SideName, environ: Mapping[str, str]) -> Side:
    prefix = f"KIT_{name.upper()}_"
    log = environ.get(prefix + "LOG")
    return side_from_url(
        name, environ[prefix + "URL"], admin=environ.get(prefix + "ADMIN_URL"), log=Path(log) if log else None
    )


def _known_kind(word: str) -> Kind:
    kinds: dict[str, Kind] = {"embedded": "embedded", "compose": "compose", "external": "external"}
    if word not in kinds:
        raise PairError(f"KIT_PAIR_KIND is {word!r}", wanted=" or ".join(kinds), remedy="unset it")
    return kinds[word]


def _populate_where_missing(pair: Pair) -> None:
    from kit.pair.connect import connect
    from kit.pair.populate import run_files

    for side in pair.sides:
        with connect(side.url()) as connection:
            row = connection.execute("select to_regclass('sites') is null").fetchone()
            if row is not None and row[0]:
                run_files(connection, ("sites.sql", "seed.sql") if side.name == "production" else ("sites.sql",))
