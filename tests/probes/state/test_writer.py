from __future__ import annotations

import inspect
import json
import logging
import os
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from kit.probes.state import loggers, process
from kit.probes.state.holders import CLASS, INSTANCE, SEQUENCE, SET
from kit.probes.state.mappings import MAPPING
from kit.probes.state.snapshot import Snapshot
from kit.probes.state.values import Holder, Kind
from kit.probes.state.writer import Writer


def written(change: Any, holder: Holder, label: str) -> list[tuple[str, int, str]]:
    """Return the innermost line of each write to an entry, while a function runs."""
    writer = Writer()
    writer.watch("place", holder, label)
    writer.begin()
    try:
        change()
    finally:
        writer.end()
    return [lines[0] for lines in writer.writes.get("place", [])]


def line_of(function: Any, text: str) -> int:
    lines, start = inspect.getsourcelines(function)
    return start + next(number for number, line in enumerate(lines) if text in line)


def test_each_line_that_wrote_an_entry_is_named_in_order() -> None:
    """Of two writes to an entry of a dictionary, both lines are there; one that writes the same value is none."""
    config = {"debug": False}

    def change() -> None:
        config["debug"] = False
        config["debug"] = True  # first
        config.update(debug=None)  # second

    found = written(change, Holder("config", config, MAPPING), "['debug']")
    assert [(line, function) for _, line, function in found] == [
        (line_of(change, "# first"), "change"), (line_of(change, "# second"), "change")
    ]  # fmt: skip
    assert {file for file, _, _ in found} == {__file__}


def test_a_change_in_place_by_a_library_is_at_the_line_that_called_it() -> None:
    """Where the standard library changes a list, the line of the program that called it is named."""
    rows: list[Any] = []

    def change() -> None:
        json.JSONEncoder(default=rows.append).encode([object()])  # here

    found = written(change, Holder("rows", rows, SEQUENCE), "")
    assert [line for _, line, _ in found] == [line_of(change, "# here")]


def test_a_change_by_a_thread_is_at_the_thread_s_line() -> None:
    """A write in a thread that is started meanwhile is named by its own line."""
    rows: list[int] = []

    def work() -> None:
        rows.append(1)  # in the thread

    def change() -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    found = written(change, Holder("rows", rows, SEQUENCE), "")
    assert [line for _, line, _ in found] == [line_of(work, "# in the thread")]


def test_what_is_not_written_has_no_lines() -> None:
    """Reading an entry is no write."""
    config = {"debug": False}
    assert written(lambda: config["debug"], Holder("config", config, MAPPING), "['debug']") == []


def test_an_entry_that_cannot_be_read_raises_nothing_into_the_program() -> None:
    """Where reading a watched entry fails, the program runs on, and its next write that can be read is named."""
    rows: list[int] = []
    reads = iter([False, True, True])

    def read(values: list[int]) -> dict[str, Any]:
        if next(reads, False):
            raise RuntimeError("it changed meanwhile")
        return SEQUENCE.read(values)

    def change() -> None:
        rows.append(1)  # here

    found = written(change, Holder("rows", rows, Kind(read, SEQUENCE.write)), "")
    assert [line for _, line, _ in found] == [line_of(change, "# here")]


def test_each_kind_of_entry_is_asked_for_by_itself() -> None:
    """A variable, a class's attribute, a set, a key that was not there and a logger's handlers each name their line."""
    class Shop:
        limit = 1

    names, config = {"a"}, {"x": 1}

    def change() -> None:
        os.environ["KIT_WRITER"] = "1"  # the variable
        Shop.limit = 2  # the attribute
        names.add("b")  # the set
        config["y"] = 2  # the key
        logging.getLogger("kit.writer").addHandler(logging.NullHandler())  # the handler
        os.environ.pop("KIT_WRITER")  # the variable again

    logger = loggers.named("logging.getLogger('kit.writer')")
    environment = next(one for one in process.holders() if one.name == "os.environ")
    assert logger is not None
    entries = {
        "the variable": (environment, "['KIT_WRITER']"),
        "the attribute": (Holder("Shop", Shop, CLASS), ".limit"),
        "the set": (Holder("names", names, SET), ""),
        "the key": (Holder("config", config, MAPPING), "['y']"),
        "the handler": (logger, ".handlers"),
    }
    writer = Writer()
    for place, (holder, label) in entries.items():
        writer.watch(place, holder, label)
    writer.begin()
    change()
    writer.end()
    lines = {place: [found[0][1] for found in writes] for place, writes in writer.writes.items()}
    again = [line_of(change, "# the variable again")]
    assert lines == {
        place: [line_of(change, f"# {place}"), *(again if place == "the variable" else ())] for place in entries
    }  # fmt: skip


def test_a_folder_that_is_removed_later_on_was_changed_where_it_was_changed_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a working directory whose folder is gone at the end, the line that went there is named, and no other."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "gone"
    folder.mkdir()

    def change() -> None:
        os.chdir(folder)  # here
        folder.rmdir()

    settings = next(one for one in process.holders() if one.name == "the process's ")
    assert [line for _, line, _ in written(change, settings, "working directory")] == [line_of(change, "# here")]


def test_lines_of_libraries_below_a_line_of_the_program_s_are_not_followed() -> None:
    """A long work of a library's takes no comparison at each of its lines: they would name the program's line all."""
    config, asked = {"debug": False}, []

    def read(mapping: dict[str, bool]) -> dict[str, Any]:
        asked.append(1)
        return MAPPING.read(mapping)

    def change() -> None:
        for _ in range(20):
            textwrap.dedent("  a line\n  another one\n" * 50)
        config.update(debug=True)  # here

    found = written(change, Holder("config", config, Kind(read, MAPPING.write)), "['debug']")
    assert [line for _, line, _ in found] == [line_of(change, "# here")]
    assert len(asked) < 100


def test_the_comparison_itself_is_not_followed() -> None:
    """A snapshot in between reads thousands of objects, and looks at the entry at none of its lines."""
    config, asked = {"debug": False}, []

    def read(mapping: dict[str, bool]) -> dict[str, Any]:
        asked.append(1)
        return MAPPING.read(mapping)

    writer = Writer()
    writer.watch("place", Holder("config", config, Kind(read, MAPPING.write)), "['debug']")
    writer.begin()
    with writer.paused():
        Snapshot({"json": json})
        config["debug"] = True
    assert config.update(debug=False) is None
    writer.end()
    assert len(asked) < 100


def test_a_slot_is_read_by_itself() -> None:
    """Of an object without a dictionary, the line that fills or empties a slot is named."""
    class Shop:
        __slots__ = ("closed", "limit")

    shop = Shop()

    def change() -> None:
        shop.limit = 2  # filled
        del shop.limit  # emptied

    found = written(change, Holder("shop", shop, INSTANCE), ".limit")
    assert [line for _, line, _ in found] == [line_of(change, "# filled"), line_of(change, "# emptied")]
