"""Whatever has become of a record, it is read as far as it goes, answered and shown: no error of the kit ends it."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import msgspec
import pytest

from kit.analysis.databases import Allowed
from kit.answer.model import Answer, answer, contract
from kit.diagnosing.conclusion import findings_of, nothing_wrong
from kit.diagnosing.judge import Symptom, case_of_answer, judged, symptoms_of
from kit.diagnosing.plan import plan
from kit.evidence import collect
from kit.evidence.model import Evidence, from_json, to_json
from kit.report import diagnosis_text
from kit.report.answer_page import page
from kit.report.answer_text import github, text
from tests import odd_records
from tests.probes import seen

MUTATIONS = 240
ALLOWED = (None, ("test.db",), ("*",))


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return odd_records.make(tmp_path_factory.mktemp("real"))


def read(folder: Path, files: dict[str, bytes]) -> Evidence:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return collect.from_probes(folder, Path("/project"))


def answered(evidence: Evidence, allow: tuple[str, ...] | None = None) -> Answer:
    return answer(evidence, Allowed(allow, "/project"), "/project")


def shown(found: Answer) -> None:
    """Everything that is made of an answer, as bytes."""
    text(found).encode()
    github(found).encode()
    page(found).encode()
    msgspec.json.encode(contract(found))
    diagnosis_text.text(found, nothing_wrong(found)).encode()


@pytest.mark.parametrize("block", range(8))
def test_no_record_is_an_error_of_the_kit(block: int, record: dict[str, bytes], tmp_path: Path) -> None:
    """Lines lost, cut, doubled, out of order and foreign, fields of all types and times: there is an answer to each."""
    more = odd_records.with_more(record)
    whole = read(tmp_path / "whole", more)
    for seed in range(block, MUTATIONS, 8):
        evidence = read(tmp_path / str(seed), odd_records.mutated(more, random.Random(seed)))
        assert from_json(to_json(evidence)) == evidence
        found = answered(evidence, ALLOWED[seed % 3])
        shown(found)
        for symptom in symptoms_of(answered(whole, ALLOWED[seed % 3])):
            judged(symptom, evidence, frozenset())
        for symptom in symptoms_of(found):
            candidates(symptom)


def candidates(symptom: Symptom) -> None:
    """What a diagnosis would try, and how each is shown."""
    case, mine = replace(case_of_answer(symptom.first), leaks=symptom.leaks), findings_of(symptom)
    for candidate in plan(case, mine, source, {}).all:
        assert candidate.label


def source(file: str) -> str | None:
    path = odd_records.PROJECT.get(file)
    return dedent(path) if path is not None else None


def test_the_record_that_is_mutated_has_much_in_it(record: dict[str, bytes]) -> None:
    """The mutations meet nearly every kind of line that a run of tests leaves."""
    kinds = {json.loads(line)["kind"] for data in record.values() for line in data.splitlines()}
    assert len(kinds) > 20
    assert len(record) == 2


def test_an_untouched_record_has_no_problem(record: dict[str, bytes], tmp_path: Path) -> None:
    """What is said of a damaged record is said of no other."""
    assert read(tmp_path / "seen", record).problems == ()


def test_times_that_go_back_do_not_change_what_was_seen(record: dict[str, bytes], tmp_path: Path) -> None:
    """The order of one process's lines is the order of its events, and its first line stays its first."""
    files = {name: back_in_time(data) for name, data in record.items()}
    whole, odd = read(tmp_path / "whole", record), read(tmp_path / "odd", files)
    assert [one.test for one in odd.outcomes] == [one.test for one in whole.outcomes]
    assert {one.name for one in answered(odd).databases} == {one.name for one in answered(whole).databases}
    assert [process.ended for process in odd.processes] == [True, True]
    assert any("back in time" in problem for problem in odd.problems)


def test_an_event_that_is_written_late_stands_where_it_happened(tmp_path: Path) -> None:
    """What is written once its end is known, with the time at which it began, is no sign of a clock that goes back."""
    code = """
        import os, sqlite3
        os.environ.get("DATABASE_URL")
        try:
            sqlite3.connect("/nowhere/at/all.db")
        except sqlite3.OperationalError:
            os.environ["DATABASE_URL"] = "sqlite:///late.db"
    """
    evidence = seen.run(tmp_path, {"main.py": code}, "main.py").evidence()
    assert evidence.problems == ()
    assert [variable.op for variable in evidence.variables] == ["missing", "set"]
    assert evidence.variables[0].at_s < evidence.failed_connections[0].at_s < evidence.variables[1].at_s


def back_in_time(data: bytes) -> bytes:
    """A record whose clock stands still, as a patched one does, from its tenth line on, long before it began."""
    lines = [json.loads(line) for line in data.splitlines()]
    for event in lines[10:]:
        if "at_s" in event:
            event["at_s"] = -1e6
    return b"".join(json.dumps(event).encode() + b"\n" for event in lines)


def test_what_cannot_be_read_is_counted_and_named(record: dict[str, bytes], tmp_path: Path) -> None:
    """Each process with how many of its lines, and why; and then the run is not called clean."""
    name = min(record)
    number = name.partition("-")[0]
    odd = b'42\n{"kind":"weather","at_s":1e12}\n{"kind":"use","at_s":1e12}\n{"kind":"use","at_s":1e12}\n{"kind":"us'
    found = answered(read(tmp_path / "seen", {**record, name: record[name] + odd}))
    assert [gap.why for gap in found.hidden] == [
        f"a line of process {number}: not written by the probes",
        f"a line of process {number}: cut off",
        f"a line of process {number}: of a kind unknown to this version of the kit (weather)",
        f"2 lines of process {number}: invalid for its kind (use)",
    ]


def test_a_process_of_another_format_is_named_and_the_others_are_read(
    record: dict[str, bytes], tmp_path: Path
) -> None:
    """A child with another version of the kit on its path does not cost the answer."""
    name = max(record, key=lambda name: -len(record[name]))
    files = {**record, name: record[name].replace(b'"format":1', b'"format":99', 1)}
    evidence = read(tmp_path / "seen", files)
    assert len(evidence.processes) == 2
    assert evidence.outcomes
    assert any("wrote format 99" in problem for problem in evidence.problems)


def test_a_name_that_is_no_text_costs_no_line(tmp_path: Path, record: dict[str, bytes]) -> None:
    """A folder's name may hold any bytes: what stands there is shown as Python shows it, and all lines are read."""
    files = {name: data.replace(b"prod.db", b"prod\\udcff.db") for name, data in record.items()}
    evidence = read(tmp_path / "seen", files)
    assert evidence.problems == ()
    found = answered(evidence)
    shown(found)
    assert any("prod\\udcff.db" in database.name for database in found.databases)


def test_a_connection_whose_line_is_lost_is_missed(record: dict[str, bytes], tmp_path: Path) -> None:
    """Where a line is gone without a trace, what came through the connection still tells that there was one."""
    without = {
        name: b"".join(line for line in data.splitlines(keepends=True) if b'"kind":"connection",' not in line)
        for name, data in record.items()
    }
    assert "whose opening is missing from the record" in read(tmp_path / "seen", without).problems[0]


def test_what_a_program_puts_into_the_folder_is_left_alone(record: dict[str, bytes], tmp_path: Path) -> None:
    """A pipe, a link, a folder and a file of another's are named, and nothing waits for them."""
    seen = tmp_path / "seen"
    seen.mkdir()
    os.mkfifo(seen / "1-1.jsonl")
    (seen / "2-1.jsonl").symlink_to("/dev/zero")
    (seen / "3-1.jsonl").mkdir()
    (seen / "notes.txt").write_text("mine")
    for name, data in record.items():
        (seen / name).write_bytes(data)
    evidence = collect.from_probes(seen, Path("/project"))
    assert len(evidence.problems) == 4
    assert len(evidence.processes) == 2


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    """A program that removes the record's folder leaves an answer that says so."""
    (problem,) = collect.from_probes(tmp_path / "gone", Path("/project")).problems
    assert "cannot be read" in problem
