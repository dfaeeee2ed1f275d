"""A copied data directory gets a system identifier of its own, or stays as it is."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from kit.pair.identifiers import checksum, new_identifier, renew

OLD = 7_429_385_720_384_756_123


def cluster(folder: Path, record: bytes) -> Path:
    (folder / "global").mkdir()
    (folder / "pg_wal" / "archive_status").mkdir(parents=True)
    (folder / "global" / "pg_control").write_bytes(record.ljust(8192, b"\0"))
    (folder / "pg_wal" / "000000010000000000000001").write_bytes(bytes(24) + struct.pack("=Q", OLD) + b"pages")
    (folder / "pg_wal" / "000000010000000000000002").write_bytes(b"not yet written")
    return folder


def test_the_checksum_is_the_one_of_postgres() -> None:
    """CRC-32C gives its published value."""
    assert checksum(b"123456789") == 0xE3069283


@pytest.mark.parametrize("size", [288, 296, 304])
def test_identifier_and_checksum_change_together(tmp_path: Path, size: int) -> None:
    """Whatever the size of the record, which differs between versions, the log has the new identifier as well."""
    record = struct.pack("=Q", OLD) + bytes(range(256))[: size - 8].ljust(size - 8, b"x")
    data = cluster(tmp_path, record + struct.pack("=I", checksum(record)))
    assert renew(data)
    control = (data / "global" / "pg_control").read_bytes()
    (new,) = struct.unpack_from("=Q", control)
    assert new != OLD
    assert control[8:size] == record[8:]
    assert struct.unpack_from("=I", control, size) == (checksum(control[:size]),)
    log = (data / "pg_wal" / "000000010000000000000001").read_bytes()
    assert log == bytes(24) + struct.pack("=Q", new) + b"pages"
    assert (data / "pg_wal" / "000000010000000000000002").read_bytes() == b"not yet written"


def test_what_is_not_known_is_left(tmp_path: Path) -> None:
    """A control file without a checksum where one can be is not touched, and neither is the log."""
    data = cluster(tmp_path, struct.pack("=Q", OLD) + b"of another kind")
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    assert not renew(data)
    assert {path: path.read_bytes() for path in before} == before


def test_identifiers_are_new_every_time() -> None:
    """Two in one second differ, and each fits the type that Postgres has for it."""
    found = {new_identifier() for _ in range(100)}
    assert len(found) == 100
    assert all(0 < one < 2**63 for one in found)
