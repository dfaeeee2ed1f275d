"""The actual remote end of a connection, from the operating system, whatever name or address was requested."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from .own import os
from .own import own_builtins as __builtins__  # noqa: F401


class Peer(NamedTuple):
    """The remote end. `host` is an address, or the folder of a unix socket; `here` is true if it is on this machine."""

    host: str
    port: str
    here: bool


def peer_of(descriptor: int) -> Optional[Peer]:
    """Return the remote end of an open socket, via a duplicate of its descriptor; None if it is no connected socket."""
    import _socket  # a program may have replaced socket.socket, as pytest-socket does

    try:
        duplicate = _socket.socket(fileno=os.dup(descriptor))
    except OSError:
        return None
    try:
        return peer_from(duplicate.getpeername(), duplicate.getsockname())
    except OSError:
        return None
    finally:
        duplicate.close()


def peer_from(other: Any, own: Any) -> Optional[Peer]:
    """Make a Peer from the socket addresses of both ends; None for an address of another form."""
    if isinstance(other, (str, bytes)):
        folder, _, name = os.fsdecode(other).rpartition("/")
        return Peer(folder, name.rpartition(".")[2], True) if name else None
    if not isinstance(other, tuple) or len(other) < 2:
        return None
    host = _plain(str(other[0]))
    same = isinstance(own, tuple) and _plain(str(own[0])) == host
    return Peer(host, str(other[1]), same or host == "::1" or host.startswith("127."))


def _plain(address: str) -> str:
    """Return an address without its zone, and an IPv4-mapped IPv6 address as IPv4."""
    address = address.partition("%")[0]
    return address[len("::ffff:"):] if address.startswith("::ffff:") and "." in address else address
