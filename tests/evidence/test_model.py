from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from kit.errors import EvidenceError
from kit.evidence.model import Evidence, from_json, load, to_json
from kit.specimens.trial import Trial
from tests.evidences import ROUTE, answered_by


def test_evidence_goes_to_json_and_back_unchanged() -> None:
    """What is read back equals what was written."""
    evidence = replace(answered_by("production"), trial=Trial(repetition=2))
    assert from_json(to_json(evidence)) == evidence


def test_evidence_is_frozen() -> None:
    """A record cannot be changed after it was made."""
    with pytest.raises(FrozenInstanceError):
        answered_by("test").exit_code = 1  # type: ignore[misc]


@pytest.mark.parametrize("data", [b"", b"[]", b'{"format": 3}', b"[" * 200_000, b'{"format": 1, "exit_code": "no"}'])
def test_what_is_no_evidence_is_refused(data: bytes) -> None:
    """A text that is not evidence of this format gives an error that says what to do."""
    with pytest.raises(EvidenceError, match="To do: "):
        from_json(data)


def test_a_record_of_the_first_format_is_read() -> None:
    """What older versions kept says nothing of what was not seen, and is read all the same."""
    data = b'{"format": 1, "children": [{"at_s": 1.0, "program": "git", "dropped": [], "watched": false}]}'
    found = from_json(data)
    assert found.not_seen == ()
    assert found.children[0].pid is None


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    """A file that is not there is named in the error."""
    with pytest.raises(EvidenceError, match=r"gone\.json"):
        load(tmp_path / "gone.json")


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    """A file that is no evidence is named in the error, so that it can be found among many."""
    (tmp_path / "t17.json").write_text("{")
    with pytest.raises(EvidenceError, match=r"t17\.json"):
        load(tmp_path / "t17.json")


def test_a_sighting_joins_what_was_configured_with_what_was_observed() -> None:
    """The place that was asked for and the server that answered are two fields, and the opener is the application's."""
    sighting, = answered_by("production").sightings()
    assert sighting.connection.configured == "postgresql://u@h/db"
    assert sighting.side == "production"
    assert sighting.opener == ROUTE
    assert sighting.how == "without a dependency"


def test_a_fork_descends_from_the_processes_that_forked_it() -> None:
    """A program that was started anew has inherited nothing; processes that name each other as parent end it."""
    first = answered_by("test").processes[0]

    def lineage(number: int, *parents: tuple[int, int, bool]) -> frozenset[int]:
        found = tuple(replace(first, pid=pid, ppid=ppid, forked=forked) for pid, ppid, forked in parents)
        return Evidence(processes=found).lineage(number)

    assert lineage(2, (1, 0, False), (2, 1, True), (3, 2, True)) == {0, 1, 2}
    assert lineage(2, (1, 0, False), (2, 1, False), (3, 2, True)) == {1, 2}
    assert lineage(1, (1, 2, True), (2, 1, True)) == {0, 1}
    assert lineage(5, (1, 0, False)) == {5}
