"""Relays between a client and a server: a proxy with its own database names, and a pooler for several servers."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from kit.pair import Pair, Side

Address = tuple[str, int] | str


@contextmanager
def proxy(side: Side, alias: str) -> Iterator[int]:
    """The port of a proxy on which `alias` stands for a side's database, as in a connection pooler."""

    def changed(begin: bytes) -> tuple[Side, bytes]:
        return side, begin.replace(f"\0{alias}\0".encode(), f"\0{side.database}\0".encode())

    with _relay(changed, ("127.0.0.1", 0)) as address:
        yield address[1]


@contextmanager
def pooler(pair: Pair, address: Address = ("127.0.0.1", 0)) -> Iterator[Any]:
    """Listen at an address and connect to production or the test server, by the user's name; yield that address."""

    def by_user(begin: bytes) -> tuple[Side, bytes]:
        return next(side for side in pair.sides if f"\0{side.user}\0".encode() in begin), begin

    with _relay(by_user, address) as bound:
        yield bound


@contextmanager
def _relay(lead: Callable[[bytes], tuple[Side, bytes]], address: Address) -> Iterator[Any]:
    """Listen at an address; `lead` returns the target of a connection and its first message, from that message."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            client: socket.socket = self.request
            while True:
                (length,) = struct.unpack("!I", _received(client, 4))
                message = _received(client, length - 4)
                if message.startswith(struct.pack("!I", 3 << 16)):
                    break
                client.sendall(b"N")  # no encryption
            side, message = lead(message)
            with socket.create_connection((side.host, side.port)) as server:
                server.sendall(struct.pack("!I", len(message) + 4) + message)
                back = threading.Thread(target=_forward, args=(server, client))
                back.start()
                _forward(client, server)
                back.join()

    kind: Any = socketserver.ThreadingTCPServer
    if isinstance(address, str):
        kind = socketserver.ThreadingUnixStreamServer

    class Server(kind):  # type: ignore[misc]
        address_family = kind.address_family if ":" not in address[0] else socket.AF_INET6
        allow_reuse_address = True

        def handle_error(self, *_: Any) -> None:
            """Ignore clients that disconnect in the middle."""

    with Server(address, Relay) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield listening.server_address
        finally:
            listening.shutdown()
            thread.join()


def _received(connection: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        piece = connection.recv(length - len(found))
        if not piece:
            raise ConnectionError
        found += piece
    return found


def _forward(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # the other side has disconnected
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
