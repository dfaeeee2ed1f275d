"""Reading a record: within its limits, and without a trace in this process."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

from kit.evidence import collect, probe_files

NAME = "7-abc.jsonl"


def file_of(*lines: bytes) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def statement(number: int, more: str = "") -> bytes:
    return json.dumps({"kind": "unknown", "at_s": number / 10, "text": more}).encode()


@pytest.mark.parametrize("is_on", [True, False])
def test_the_collector_is_as_it_was_after_a_read(tmp_path: Path, is_on: bool) -> None:
    """The garbage collector is on after a record was read if it was on before, and only then."""
    before = gc.isenabled()
    (gc.enable if is_on else gc.disable)()
    try:
        collect.from_probes(tmp_path, tmp_path)
        assert gc.isenabled() is is_on
    finally:
        (gc.enable if before else gc.disable)()


def test_a_line_beyond_the_limit_is_counted_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that is longer than any of the probes' is left out as one line, whatever its length."""
    monkeypatch.setattr(probe_files, "LINE_BYTES_AT_MOST", 200)
    (tmp_path / NAME).write_bytes(file_of(statement(1), statement(2, "x" * 1000), statement(3)))
    unread = probe_files.Unread()
    (found,) = probe_files.read(tmp_path, unread)
    assert [event["at_s"] for event in found.events] == [0.1, 0.3]
    assert unread.sentences() == ("a line of process 7: longer than any line that the probes write",)


@pytest.mark.parametrize("long_line", [b"", b"x" * 1000])
def test_no_more_of_a_file_is_read_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long_line: bytes
) -> None:
    """Reading ends after the limit of a file, to which lines that were left out count; the answer says so."""
    first = file_of(statement(1), long_line)
    monkeypatch.setattr(probe_files, "LINE_BYTES_AT_MOST", 200)
    monkeypatch.setattr(probe_files, "FILE_BYTES_AT_MOST", len(first))
    (tmp_path / NAME).write_bytes(first + file_of(statement(2)))
    unread = probe_files.Unread()
    (found,) = probe_files.read(tmp_path, unread)
    assert [event["at_s"] for event in found.events] == [0.1]
    assert "the file of process 7 is too large: the rest was not read" in unread.sentences()
