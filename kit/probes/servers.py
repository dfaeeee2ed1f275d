"""The servers behind the entries of the allow-list, by identity, shared by all processes of a run.

An entry `host:port/name` names an address, which proves nothing: a forwarder, a tunnel or a pooler may lead elsewhere.
So the first server that answers at an address is recorded by its identity, and the address is bound to it:

1. Another server at the same address is refused, unless its cluster was created after the first one had answered:
   tests may create their cluster again. (A `system_identifier` of Postgres contains the time of its creation.)
2. A server that was refused under another address is refused here, too, if something is in between: if the address and
   port that it reports are not those that were reached.
3. A server known by an entry is allowed under other names and addresses of this machine, too (a unix socket, ::1, the
   host name), on the same port.

A server that does not report its identity is judged by its address only.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple

from .allow import AllowList, Match, Observed, place_of
from .entries import Place
from .own import json, os, time
from .own import own_builtins as __builtins__  # noqa: F401
from .peers import Peer

NOT_LISTED = ""
_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
_PIECE = 65536
_PARTS_OF_A_UUID, _FROM_1582_TO_1970 = 5, 0x01B21DD213814000
_SECONDS_AT, _MICROSECONDS_AT, _MICROSECONDS = 32, 12, 0xFFFFF  # bit offsets and mask in a system_identifier

Identity = Tuple[str, str, str]  # system_identifier, cluster_name, database


class _Answered(NamedTuple):
    """A server that answered at an allowed address: (system_identifier, cluster_name), whether it is here, and when."""

    server: Tuple[str, str]
    here: bool
    at_s: float


class _Known:
    """The facts recorded by all processes so far; the first of several servers at one address counts."""

    def __init__(self, lines: Iterable[Mapping[str, Any]]) -> None:
        self.at: Dict[str, _Answered] = {}
        self.refused: Dict[Identity, str] = {}
        self.matched: Set[str] = set()
        for line in lines:
            if "matched" in line:
                self.matched.add(line["matched"])
            elif "refused" in line:
                self.refused.setdefault(_three(line["refused"]), line["place"])
            elif self.is_free(line["place"], line["server"][0]):
                self.at[line["place"]] = _Answered((line["server"][0], line["server"][1]), line["here"], line["at_s"])

    def is_free(self, place: str, system_identifier: str) -> bool:
        """Whether no server has answered at an address, or only one from before this server's cluster was created."""
        known, made_s = self.at.get(place), _made_s(system_identifier)
        return known is None or (known.server[0] != system_identifier and made_s is not None and made_s >= known.at_s)


class Servers:
    """Judges connections to servers by the allow-list and the identities recorded, and records which entries matched.

    `file` is shared by the processes of a run, and created on first use; None keeps the facts in this process. `clock`
    returns seconds since 1970.
    """

    def __init__(
        self, allow: AllowList, file: Optional[str] = None, clock: Callable[[], float] = time.time,
    ) -> None:
        self._allow, self.file, self._clock = allow, file, clock
        self._lines: List[Dict[str, Any]] = []  # lines of the file
        self._own: List[Dict[str, Any]] = []  # lines that could not be written to it
        self._known, self._size = _Known(()), 0

    def refusal(self, configured: str, observed: Observed, peer: Optional[Peer] = None) -> Optional[str]:
        """Return the reason to refuse a connection, NOT_LISTED if no entry matches; None if it is allowed."""
        place, identity = place_of(configured, peer), _identity(observed)
        match = self._allow.for_server(configured, observed, peer)
        if match and identity is not None and not match.by_word:
            why = self._held(match, place, identity, observed, peer)
            if why is not None:
                return why
        if match:
            self.matched(match.entries)
            return None
        if identity is None:
            return NOT_LISTED
        if self._is_alias(place, identity, peer):
            return None
        self._was_refused(place, identity, peer)
        return NOT_LISTED

    def matched(self, entries: Iterable[str]) -> None:
        """Record that these entries have matched."""
        for entry in entries:
            if entry not in self._known.matched:
                self._write({"matched": entry})

    def idle(self) -> Tuple[str, ...]:
        """Return the entries that have not matched in any process of the run so far."""
        self._catch_up()
        return self._allow.idle(self._known.matched)

    # --- the three rules ---------------------------------------------------------------------------------------------

    def _held(
        self, match: Match, place: Place, identity: Identity, observed: Observed, peer: Optional[Peer],
    ) -> Optional[str]:
        server = identity[:2]
        self._catch_up()
        refused_as = self._known.refused.get(identity)
        if refused_as is not None and not _is_direct(observed, peer):
            return (
                f"which {sorted(match.entries)[0]} allows, but the server that answered was refused before, at "
                f"{refused_as}: a forwarder, a tunnel or a pooler is in between"
            )
        for entry in sorted(match.entries):
            key = entry if self._allow.is_of_one_place(entry) else f"{entry} at {place.host}:{place.port}"
            if self._known.is_free(key, server[0]):
                here = peer is not None and peer.here
                self._write({"place": key, "server": server, "here": here, "at_s": self._clock()})
            first = self._known.at[key].server
            if first != server:
                return (
                    f"which {entry} allows, but another server answered there first ({' '.join(first).strip()}): "
                    "a forwarder, a tunnel or a pooler is in between"
                )
        return None

    def _is_alias(self, place: Place, identity: Identity, peer: Optional[Peer]) -> bool:
        if peer is None or not peer.here:
            return False
        self._catch_up()
        known = (self._known.at.get(entry) for entry in self._allow.names_port_of(place))
        return any(answered is not None and answered.here and answered.server == identity[:2] for answered in known)

    def _was_refused(self, place: Place, identity: Identity, peer: Optional[Peer]) -> None:
        """Record the identity of a refused server, unless it may be another name of an allowed one."""
        may_be_alias = peer is not None and peer.here and self._allow.names_port_of(place)
        if not may_be_alias and identity not in self._known.refused:
            self._write({"refused": identity, "place": str(place)})

    # --- the file ----------------------------------------------------------------------------------------------------

    def _write(self, line: Dict[str, Any]) -> None:
        number = self._opened(os.O_CREAT) if self.file is not None else None
        if number is None:
            self._own.append(line)
            self._known = _Known([*self._lines, *self._own])
            return
        try:
            os.write(number, (json.dumps(line) + "\n").encode())
            self._read(number)
        finally:
            os.close(number)

    def _catch_up(self) -> None:
        """Read the lines that other processes have written."""
        number = self._opened(0) if self.file is not None else None
        if number is not None:
            try:
                self._read(number)
            finally:
                os.close(number)

    def _opened(self, flags: int) -> Optional[int]:
        assert self.file is not None
        try:
            return os.open(self.file, _FLAGS | flags, 0o600)
        except Exception:  # missing, a test removed its folder, or an audit hook of the program's forbids to open it
            return None

    def _read(self, number: int) -> None:
        """Read the whole file (it is short) if its size has changed, so that threads need no shared position."""
        size = os.fstat(number).st_size
        if size == self._size:
            return
        os.lseek(number, 0, os.SEEK_SET)
        pieces = []
        while True:
            piece = os.read(number, _PIECE)
            if not piece:
                break
            pieces.append(piece)
        lines = b"".join(pieces).split(b"\n")[:-1]  # the last is empty or incomplete
        self._lines, self._size = [json.loads(line) for line in lines], size
        self._known = _Known([*self._lines, *self._own])


def _identity(observed: Observed) -> Optional[Identity]:
    if observed is None or not observed.get("system_identifier"):
        return None
    return _three([observed.get(name) or "" for name in ("system_identifier", "cluster_name", "database")])


def _three(values: List[str]) -> Identity:
    number, cluster, database = values
    return number, cluster, database


def _made_s(system_identifier: str) -> Optional[float]:
    """Return when a server's cluster was created, in seconds since 1970; None if its identifier does not contain it.

    A Postgres number starts with it; a version 1 UUID of MySQL contains it in units of 100 ns since 1582.
    """
    if system_identifier.isdigit():
        number = int(system_identifier)
        return (number >> _SECONDS_AT) + (number >> _MICROSECONDS_AT & _MICROSECONDS) / 1e6
    parts = system_identifier.split("-")
    if len(parts) != _PARTS_OF_A_UUID or parts[2][:1] != "1":
        return None
    try:
        return (int(parts[2][1:] + parts[1] + parts[0], 16) - _FROM_1582_TO_1970) / 1e7
    except ValueError:
        return None


def _is_direct(observed: Observed, peer: Optional[Peer]) -> bool:
    """Return whether the server reports the address and port that were reached, so that nothing is in between."""
    if observed is None or peer is None:
        return False
    if peer.host.startswith("/"):
        return observed.get("host") is None
    return (observed.get("host"), observed.get("port")) == (peer.host, peer.port)
