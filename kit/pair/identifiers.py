"""Give the copy of a data directory a system identifier of its own.

initdb sets the identifier, and no program of Postgres changes only that (pg_resetwal keeps it; pg_createsubscriber
changes it in the same two places as this module). It is stored in the control file, which ends with a checksum, and at
the beginning of each file of the write-ahead log.
"""

from __future__ import annotations

import secrets
import struct
import time
from pathlib import Path

_IDENTIFIER = struct.Struct("=Q")
_CHECKSUM = struct.Struct("=I")
_IN_LOG = 24  # bytes, after the short header of every WAL page
_RECORD_AT_MOST = 1024  # bytes; the rest of the control file is zeros
_CASTAGNOLI = 0x82F63B78


def new_identifier() -> int:
    """A new identifier: the time in seconds, as in Postgres' own, and a random number."""
    return int(time.time()) << 32 | secrets.randbits(32)


def renew(data: Path) -> bool:
    """Give the data directory of a stopped server a new system identifier.

    Returns False, and changes nothing, when the layout of the control file is unknown. Raises OSError when it cannot be
    written.
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
    """The offset of the checksum, which differs between versions: its value is the CRC of all bytes before it."""
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
