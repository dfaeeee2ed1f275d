"""A system identifier of its own for a data directory that is a copy.

Postgres gives the identifier as it makes a directory, and no program of its own changes that alone (pg_resetwal keeps
it; pg_createsubscriber changes it in the same two places as this does). It stands in the control file, which ends with
a checksum, and at the beginning of each file of the write-ahead log.
"""

from __future__ import annotations

import secrets
import struct
import time
from pathlib import Path

_IDENTIFIER = struct.Struct("=Q")
_CHECKSUM = struct.Struct("=I")
_IN_LOG = 24  # bytes, after the short header that every page of the log has
_RECORD_AT_MOST = 1024  # bytes; the rest of the control file is zeros
_CASTAGNOLI = 0x82F63B78


def new_identifier() -> int:
    """An identifier that no server has: the time in seconds, as in Postgres' own, and a random number."""
    return int(time.time()) << 32 | secrets.randbits(32)


def renew(data: Path) -> bool:
    """Give the stopped server of a data directory a new system identifier.

    False, and nothing is changed, where the control file is not as it is known. OSError where it cannot be written.
    """
    control = data / "global" / "pg_control"
    content = bytearray(control.read_bytes())
    end = _end_of_record(content)
    if end is None:
        return False
    (old,) = _IDENTIFIER.unpack_from(content)
    new = new_identifier()
    for path in (data / "pg_wal").iterdir():
        if path.is_file():
            _rewrite(path, _IN_LOG, old, new)
    _IDENTIFIER.pack_into(content, 0, new)
    _CHECKSUM.pack_into(content, end, checksum(content[:end]))
    with control.open("r+b") as file:
        file.write(content)
    return True


def checksum(content: bytes | bytearray) -> int:
    """CRC-32C, as Postgres computes it."""
    return _advanced(0xFFFFFFFF, content) ^ 0xFFFFFFFF


def _advanced(state: int, content: bytes | bytearray) -> int:
    for byte in content:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (_CASTAGNOLI if state & 1 else 0)
    return state


def _end_of_record(content: bytearray) -> int | None:
    """Where the checksum stands, which differs between versions: it is that of all that is before it."""
    state = 0xFFFFFFFF
    step = _CHECKSUM.size
    for end in range(0, min(len(content), _RECORD_AT_MOST) - step, step):
        if end and _CHECKSUM.unpack_from(content, end)[0] == state ^ 0xFFFFFFFF:
            return end
        state = _advanced(state, content[end : end + step])
    return None


def _rewrite(path: Path, position: int, old: int, new: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        if file.read(_IDENTIFIER.size) == _IDENTIFIER.pack(old):
            file.seek(position)
            file.write(_IDENTIFIER.pack(new))
