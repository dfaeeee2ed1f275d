"""Refuses connections to databases off the allow-list, before their first statement.

A file is refused before it is opened. A server is asked for its identity, and a connection to it is closed before any
statement of the application reaches it. The refusal is reported even if the application swallows the exception.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Mapping, NamedTuple, Optional, Tuple, Union

from .allow import AllowList, entry_for_file, entry_for_server, sqlite_file
from .frames import Stack, application_stack, thread_name
from .maintenance import named_in
from .own import json, os, sys
from .own import own_builtins as __builtins__  # noqa: F401
from .peers import Peer
from .redact import redact, redact_command, without_secrets
from .servers import NOT_LISTED, Servers

ALLOW_VARIABLE = "ISOLATION_PROBES_ALLOW"

_CALLERS_AT_MOST = 7

Refusal = Dict[str, Any]


class DatabaseRefused(Exception):
    """The connection was refused: its database is not on the allow-list."""


class Reached(NamedTuple):
    """A connection to a server: its URL, the server's identity or the reason why there is none, and the remote end."""

    configured: str
    observed: Optional[Dict[str, Any]]
    why_not: Optional[str]
    peer: Optional[Peer] = None


class Gate:
    """Judges every connection. `tell` is called with each refusal before DatabaseRefused is raised.

    `known` is the file in which the processes of a run share the identities of servers. `unjudged` are the drivers and
    programs that may connect although their destination cannot be determined; `setting` is the option that adds one,
    for messages.
    """

    def __init__(
        self, allow: AllowList, tell: Callable[[Refusal], None], known: Optional[str] = None,
        unjudged: Iterable[str] = (), setting: str = "db_guard_drivers = ",
    ) -> None:
        self.allow, self._tell, self.unjudged, self._setting = allow, tell, frozenset(unjudged), setting
        self.servers = Servers(allow, known)

    def file(self, path: Optional[str]) -> None:
        """Return if a SQLite file is allowed (None, in memory, always is); else report it and raise DatabaseRefused."""
        __tracebackhide__ = True  # pytest hides such frames in tracebacks
        if path is not None and not self.allows_file(path):
            raise self.refused_file(path)

    def allows_file(self, path: Optional[str]) -> bool:
        """Return whether a SQLite file is allowed, without reporting a refusal."""
        if path is None:
            return True
        entries = self.allow.for_file(path)
        self.servers.matched(entries)
        return bool(entries)

    def refused_file(
        self, path: str, frames: Optional[Stack] = None, connection: Optional[str] = None,
    ) -> DatabaseRefused:
        """Report that a SQLite file is refused, and return the exception to raise.

        `frames` is the stack that led to it, by default the current one; `connection` is the number of the attempt in
        the record.
        """
        if not os.path.isabs(path):  # a description in place of an unknown path
            return self._refused(
                path, "", None, because="and the guard cannot tell which one", done="No statement was run on it.",
                frames=frames, remedy="Write the file's name into the statement, as a literal.",
            )
        entry, shown = entry_for_file(path, self.allow.base), _short(path, self.allow.base)
        return self._refused(shown, entry, None, done="It was not opened.", frames=frames, connection=connection)

    def server(
        self, configured: str, observed: Optional[Mapping[str, Optional[str]]], why_not: Optional[str],
        peer: Optional[Peer] = None, connection: Optional[str] = None,
    ) -> None:
        """Return if a connection to a server is allowed; else report it and raise DatabaseRefused.

        The caller closes the connection.
        """
        __tracebackhide__ = True
        if configured.startswith("sqlite"):
            self.file(sqlite_file(configured.partition("://")[2].partition("?")[0].partition("/")[2]))
            return
        why = self.servers.refusal(configured, observed, peer)
        if why is not None:
            entry = entry_for_server(configured, observed, peer, by_word=why != NOT_LISTED)
            raise self._refused(
                redact(configured), entry, observed, why_not, why, _done(observed, why_not), connection=connection,
            )

    def by(self, name: str, why: str) -> None:
        """Report a driver or program of unknown destination that is not in `unjudged`, and raise DatabaseRefused."""
        __tracebackhide__ = True
        if name not in self.unjudged:
            raise self._refused(
                f"a database through {name}", "", None, because=f"and the guard cannot tell which one: {why}",
                done=f"{name} was stopped before it could connect.",
                remedy=f"If {name} may connect to any database, allow it by name: {self._setting}{name}",
            )

    def statement(self, statement: Union[str, bytes], to: Reached, dialect: str = "postgresql") -> None:
        """Report a statement that creates, alters or drops a database off the allow-list, and raise DatabaseRefused."""
        __tracebackhide__ = True
        for action, database in named_in(statement, dialect):
            configured = _with_database(to.configured, database)
            observed = None if to.observed is None else {**to.observed, "database": database}
            why = self.servers.refusal(configured, observed, to.peer)
            if why is not None:
                entry = entry_for_server(configured, observed, to.peer, by_word=why != NOT_LISTED)
                asked = f"{action} {database} ({redact(configured)})"
                raise self._refused(asked, entry, observed, to.why_not, why, "The statement was not sent.")

    def _refused(
        self, database: str, entry: str, observed: Optional[Mapping[str, Optional[str]]], why_not: Optional[str] = None,
        because: str = NOT_LISTED, done: str = "", frames: Optional[Stack] = None, remedy: str = "",
        connection: Optional[str] = None,
    ) -> DatabaseRefused:
        refusal: Refusal = {
            "database": redact(database), "entry": redact(entry), "observed": without_secrets(observed),
            "why_not": without_secrets(why_not), "pid": os.getpid(), "thread": without_secrets(thread_name()),
            "frames": _current_stack() if frames is None else frames,
            "command": redact_command(getattr(sys, "argv", [])),
            "allowed": self.allow.entries, "base": self.allow.base, "because": redact(because), "done": done,
            "remedy": redact(remedy or f"If it is a test database, allow it: {entry}"), "connection": connection,
        }
        self._tell(refusal)
        return DatabaseRefused(message(refusal))


def _current_stack() -> Stack:
    """Return the application's frames; none if an audit hook of the program's forbids to look at them."""
    try:
        return application_stack()
    except Exception:
        return ()


def _done(observed: Optional[Mapping[str, Optional[str]]], why_not: Optional[str]) -> str:
    """Say how far the connection got."""
    if observed is not None:
        return "The connection was closed before its first statement; only the guard's identity query was run."
    if why_not is not None:
        return "The connection was closed before its first statement."
    return "No connection was made."


def _with_database(configured: str, database: str) -> str:
    """Return the URL of another database on the same server."""
    url, question, query = configured.partition("?")
    return f"{url.rpartition('/')[0]}/{database}{question}{query}"


def message(refusal: Refusal) -> str:
    """Describe a refusal: the code and the database that it requested, its callers, and what to do."""
    places = [f"{_short(file, refusal['base'])}:{line}" for file, line, _, _ in refusal["frames"]]
    who = f"{places[0]} {refusal['frames'][0][2]}" if places else _describe_origin(refusal)
    said = f"{who} requested {refusal['database']}{_describe_observed(refusal)}"
    listed = ", ".join(refusal["allowed"]) or "empty"
    said += f", {refusal['because'] or f'which is not on the allow-list ({listed})'}."
    if places[1:]:
        said += f" Called from {', '.join(places[1:_CALLERS_AT_MOST])}."
    return f"{said} {refusal['done']} {refusal['remedy']}"


def _describe_origin(refusal: Refusal) -> str:
    """Describe the origin of a connection without application frames: its thread or process."""
    if refusal["thread"] is not None:
        return f"thread {refusal['thread']} of process {refusal['pid']}"
    return f"process {refusal['pid']} ({' '.join(refusal['command']) or 'no command'})"


def _describe_observed(refusal: Refusal) -> str:
    observed = refusal["observed"]
    if observed is None:
        return f" (the server's identity is unknown: {refusal['why_not']})" if refusal["why_not"] else ""
    named = " ".join(filter(None, [observed.get("system_identifier"), observed.get("cluster_name")]))
    if not named:
        return f" (the server reports the database {observed.get('database')})"
    return f" (the server reports the identity {named} and the database {observed.get('database')})"


def _short(file: str, base: str) -> str:
    inside = os.path.relpath(file, base)
    return file if inside.startswith("..") else inside


class Listed(NamedTuple):
    """An allow-list as passed to a process, with the arguments of `Gate` that go with it."""

    allow: AllowList
    known: Optional[str] = None
    unjudged: Tuple[str, ...] = ()


def allow_from(text: Optional[str]) -> Optional[Listed]:
    """Parse the value of ALLOW_VARIABLE; None if it is missing or empty."""
    if not text:
        return None
    found = json.loads(text)
    return Listed(AllowList(found["allow"], found["base"]), found.get("known"), tuple(found.get("unjudged", ())))


def allow_text(allow: AllowList, known: Optional[str] = None, unjudged: Iterable[str] = ()) -> str:
    """Format an allow-list as the value of ALLOW_VARIABLE."""
    return json.dumps({"allow": allow.entries, "base": allow.base, "known": known, "unjudged": list(unjudged)})


class GuardedDatabases:
    """Takes the place of `Databases` in the drivers' probes under the guard: asks the gate, and records nothing."""

    gated = True
    visitors = ()  # no session is compared

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def about_to_run(self, statement: Union[str, bytes], to: Reached, dialect: str = "postgresql") -> None:
        __tracebackhide__ = True
        self._gate.statement(statement, to, dialect)

    def by_driver(self, name: str, why: str) -> None:
        __tracebackhide__ = True
        self._gate.by(name, why)

    def by_store(self, name: str, why: str) -> None:
        """Do nothing: servers that are no databases are not judged."""

    def about_to_open_file(self, path: Optional[str], driver: Optional[str] = None) -> None:
        __tracebackhide__ = True
        self._gate.file(path)

    def allows_file(self, path: Optional[str]) -> bool:
        return self._gate.allows_file(path)

    def refused_file(self, path: str, frames: Optional[Stack], driver: Optional[str] = None) -> DatabaseRefused:
        return self._gate.refused_file(path, frames)

    def opened(
        self, driver_connection: Any, driver: str, configured: str, observed: Optional[Dict[str, Any]],
        why_not: Optional[str], pooled: bool, peer: Optional[Peer] = None, **more: Any,
    ) -> None:
        if "file" not in (observed or {}):  # a file was judged before it was opened
            self._gate.server(configured, observed, why_not, peer)

    def failed(self, driver: str, configured: str, error: BaseException, **when: Any) -> None:
        """Do nothing: there is no connection to refuse."""

    def after_test(self, finish: Callable[[], None]) -> None:
        """Do nothing: there is no record."""

    def of(self, driver_connection: Any) -> None:
        """Return None: there is no record."""

    def pool_of(self, frame: Any) -> None:
        """Return None: there is no record."""

    def attached(self, driver_connection: Any, driver: str, attached: Any, stack: Optional[Stack]) -> None:
        """Do nothing: the file was judged before."""

    def forget(self, driver_connection: Any) -> None:
        """Do nothing: there is no record."""
