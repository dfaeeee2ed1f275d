"""Messages between the kit, a parent and the stand-ins for Python: a JSON object each, with file descriptors."""

from __future__ import annotations

import array
import json
import socket
import struct
from typing import Any

_LENGTH = struct.Struct("!I")
_FILES_AT_MOST = 8


def send(connection: socket.socket, message: dict[str, Any], files: tuple[int, ...] = ()) -> None:
    """Send a message together with these file descriptors."""
    data = json.dumps(message).encode()
    data = _LENGTH.pack(len(data)) + data
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
    sent = connection.sendmsg([data], ancillary)
    connection.sendall(data[sent:])


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return a message and its file descriptors. Raises EOFError when the other side has exited."""
    data, files = b"", array.array("i")
    while len(data) < _LENGTH.size or len(data) < _LENGTH.size + _LENGTH.unpack_from(data)[0]:
        piece, ancillary, *_ = connection.recvmsg(65536, socket.CMSG_SPACE(_FILES_AT_MOST * files.itemsize))
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                files.frombytes(content[: len(content) - len(content) % files.itemsize])
        if not piece:
            raise EOFError("the other side has ended")
        data += piece
    return json.loads(data[_LENGTH.size:]), files.tolist()
