"""Which server is behind an entry of the allow-list: what is known of that in one run, in all of its processes.

An entry `host:port/name` names a place, and a place is no proof: a forwarder, a tunnel or a pooler may lead elsewhere.
So the server that answers first at a place is written down by its identity, and the place is held to it:

1. Another server at the same place is refused. A server whose cluster was made after the first had answered may take
   its place: tests make their own again. (A `system_identifier` of Postgres holds the second in which it was made.)
2. A server that was refused under another name is refused here, too, where something lies between: where the address
   and port that it calls its own are not those that were reached.
3. A server that is known by an entry is let through under another name or address of this machine, too (a unix socket,
   ::1, the machine's own name), at the same port.

A server that does not say who it is can only be judged by its place.
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
_SECONDS_AT, _MICROSECONDS_AT, _MICROSECONDS = 32, 12, 0xFFFFF  # bits of a system_identifier

Identity = Tuple[str, str, str]  # system_identifier, cluster_name, database


class _Answered(NamedTuple):
    """A server that answered where the list allows it: its system_identifier and cluster_name, and when that was."""

    server: Tuple[str, str]
    here: bool
    at_s: float


class _Known:
    """What the lines say that all processes have written so far; of two servers at one place the first is the one."""

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
        """Whether nothing has answered at a place yet, or only what was there before this server's cluster was made."""
        known, made_s = self.at.get(place), _made_s(system_identifier)
        return known is None or (known.server[0] != system_identifier and made_s is not None and made_s >= known.at_s)


class Servers:
    """Judges connections to servers by a list and by what is known so far, and keeps which entries were of use.

    `file` is shared by the processes of a run, and made when there is something to keep; None keeps it in this process.
    `clock` gives the time of what is judged, in seconds since 1970.
    """

    def __init__(
        self, allow: AllowList, file: Optional[str] = None, clock: Callable[[], float] = time.time,
    ) -> None:
        self._allow, self.file, self._clock = allow, file, clock
        self._lines: List[Dict[str, Any]] = []  # of the file
        self._own: List[Dict[str, Any]] = []  # what could not be written to it
        self._known, self._size = _Known(()), 0

    def refusal(self, configured: str, observed: Observed, peer: Optional[Peer] = None) -> Optional[str]:
        """Say why a connection is refused, NOT_LISTED where no entry names it; None where it is let through."""
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
        """Keep that these entries have let something through."""
        for entry in entries:
            if entry not in self._known.matched:
                self._write({"matched": entry})

    def idle(self) -> Tuple[str, ...]:
        """The entries that have let nothing through in any process of the run so far."""
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
                f"which {sorted(match.entries)[0]} allows, but the server that answered is the one at {refused_as}, "
                "which was refused: a forwarder, a tunnel or a pooler is in between"
            )
        for entry in sorted(match.entries):
            key = entry if self._allow.is_of_one_place(entry) else f"{entry} at {place.host}:{place.port}"
            if self._known.is_free(key, server[0]):
                here = peer is not None and peer.here
                self._write({"place": key, "server": server, "here": here, "at_s": self._clock()})
            first = self._known.at[key].server
            if first != server:
                return (
                    f"which {entry} allows, but at first another server answered there ({' '.join(first).strip()}): "
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
        """Keep which server was refused, unless this may be another name of one that is allowed."""
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
        """Read what other processes have written."""
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
        except OSError:  # not there yet, or its folder was taken away by a test
            return None

    def _read(self, number: int) -> None:
        """Take in the whole file, which is short, where it has grown: other threads may be doing the same."""
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
        lines = b"".join(pieces).split(b"\n")[:-1]  # the last is empty, or not whole yet
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
    """When a server's data were made, in seconds since 1970; None where its identifier does not tell.

    Postgres' number begins with it; MySQL has a UUID of version 1, in intervals of 100 ns since 1582.
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
    """Whether the server's own address and port are those that were reached: nothing lies between."""
    if observed is None or peer is None:
        return False
    if peer.host.startswith("/"):
        return observed.get("host") is None
    return (observed.get("host"), observed.get("port")) == (peer.host, peer.port)
