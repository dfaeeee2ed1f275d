"""Error messages of Postgres at start, explained with a remedy."""

from __future__ import annotations

import re
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

from kit.errors import PairError
from kit.pair.binaries import DISTRIBUTION
from kit.pair.places import DATA_VARIABLE

TAIL_LINES = 6
ANSWER_S = 2.0
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


@dataclass(frozen=True, slots=True)
class Fault:
    """A known fault: the pattern of Postgres' message, and its explanation. With `quoted`, the message is shown too."""

    pattern: str
    found: str
    remedy: str
    quoted: bool = True


# The first match is used, so precise patterns come first.
FAULTS = (
    Fault(
        r"could not create shared memory segment: No space left on device",
        "the system has no System V shared memory segment left (it is not a full disk)",
        "remove unused segments (ipcs -m, ipcrm -m ID), or raise kern.sysv.shmmni",
    ),
    Fault(
        r"could not resize shared memory segment",
        "the system's shared memory directory is too small for a server",
        "give the container a larger /dev/shm (docker run --shm-size=256m)",
    ),
    Fault(
        r"No space left on device|Disk quota exceeded",
        "the data directory is full",
        f"free some space there, or set {DATA_VARIABLE} to a directory with enough space",
    ),
    Fault(
        r"could not bind \w+ address [^\n]*: Permission denied",
        "the port {port} requires more privileges than the servers have",
        "choose ports from 1024 on, or let the kit choose free ones",
        quoted=False,
    ),
    Fault(
        r"could not bind \w+ address [^\n]*: Address already in use",
        "the port {port} is taken by {holder}",
        "end that program, or let the kit choose free ports",
        quoted=False,
    ),
    Fault(
        r"could not create any TCP/IP sockets|could not bind \w+ address",
        "no server can listen on the port {port}",
        "check the loopback interface (ip link show lo), or let the kit choose free ports",
    ),
    Fault(
        r"invalid locale (settings|name)",
        "the system does not even have the locale C",
        "install the C library's locale data, or unset LC_ALL and LANG",
    ),
    Fault(
        r"cannot be run as root|\"root\" execution of the PostgreSQL server is not permitted",
        "Postgres refuses to run as root, and no other user could be used",
        "add a user for it (useradd --system postgres), or run as an ordinary user",
    ),
    Fault(
        r"could not look up effective user ID (\d+)",
        "the current user has no entry in the system's user database, which Postgres requires",
        "run as a user with an entry (in a container: --user of an existing user, or as root)",
    ),
    Fault(
        r"Permission denied",
        "the servers' user lacks permission for something it needs",
        f"set {DATA_VARIABLE} to a directory that this user may write to and enter",
    ),
    Fault(
        r"error while loading shared libraries|Library not loaded|symbol lookup error",
        "the Postgres programs lack a library of this system",
        f"pip install {DISTRIBUTION}, whose programs bring their own",
    ),
    Fault(
        r"Unix-domain socket path .* is too long|could not create any Unix-domain sockets",
        "the directory for unix sockets cannot be used",
        "unset PGHOST and any unix_socket_directories setting",
    ),
    Fault(
        r"lock file \"postmaster.pid\" (already exists|is empty)",
        "the data directory is in use by another server",
        "end that server; every start creates its own directory, so nothing else can use it",
    ),
)


def explain(event: str, said: str, *, port: int | None = None) -> PairError:
    """The error for `event` ("the server test did not start"), explaining a program's last output, `said`."""
    words = tail(said)
    for fault in FAULTS:
        if re.search(fault.pattern, said):
            holder = holder_of(port) if port is not None and "{holder}" in fault.found else ""
            found = fault.found.format(port=port, holder=holder)
            return PairError(f"{event}: {found}" + fault.quoted * f" (it said: {words})", remedy=fault.remedy)
    return PairError(f"{event}; it said: {words or 'nothing'}")


def holder_of(port: int) -> str:
    """Describe the program that listens on a port of the loopback address, as far as this user may see it."""
    kind = "a PostgreSQL server" if _speaks_postgres(port) else "another program"
    try:
        import psutil
    except ImportError:
        return kind
    with suppress(psutil.Error, OSError):  # this user may not see it
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid:
                return f"{kind} ({psutil.Process(one.pid).name()}, process {one.pid})"
    return kind


def _speaks_postgres(port: int) -> bool:
    """Whether the listener answers an SSLRequest as PostgreSQL does."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as connection:
            connection.settimeout(ANSWER_S)
            connection.sendall(_SSL_REQUEST)
            return connection.recv(1) in (b"S", b"N")
    except OSError:
        return False


def tail(text: str) -> str:
    """The last informative lines of a log, joined into one line."""
    telling = [line.strip() for line in text.splitlines() if re.search(r"FATAL|PANIC|ERROR|error|could not|HINT", line)]
    lines = telling or [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(" ".join(line.replace("\t", " ").split()) for line in lines[-TAIL_LINES:])
