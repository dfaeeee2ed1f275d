"""A notebook of a seat records what is solved in it, never an answer; any other notebook records nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import kit.notebooks.cells
from kit.errors import NotebookError
from kit.evidence.verdict import Ruling, Verdict
from kit.notebooks import predictions, seat
from kit.notebooks.cells import claim, exercise, predict, start
from kit.notebooks.seat import FILE, RECORD, Recorder, Seat, Tasks

OPTIONS = {"HOLDS": "the engine was made before", "BROKEN": "nothing leads there"}
BROKEN = Ruling(Verdict.BROKEN, "the production server answered")
KNOWN = {"01_one": Tasks(("it", "other"), ("solve",))}
SOLVES = """
import sys
from pathlib import Path
from kit.notebooks import seat
recorder = seat.Recorder(seat.read(Path(sys.argv[1])))
for _ in range(200):
    recorder.exercise("solve", "done")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a seat, in which a kernel has just been started for its notebook."""
    seat.write(tmp_path, Seat("seat-07", Path(RECORD), KNOWN))
    (tmp_path / RECORD).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "01_one.ipynb"))
    new_kernel(monkeypatch)
    return tmp_path


def new_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit.notebooks.cells, "_session", None)
    monkeypatch.setattr(predictions, "_predictions", {})
    recorder = Recorder()
    monkeypatch.setattr(seat, "recorder", recorder)
    monkeypatch.setattr(kit.notebooks.cells, "recorder", recorder)


def recorded(folder: Path) -> list[dict[str, object]]:
    """The records of a seat without their times, each of which is one in UTC."""
    found = [json.loads(line) for line in (folder / RECORD).read_text().splitlines() if line]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one.pop("at")) for one in found)
    return found


def said(id: str, option: str, options: Mapping[str, str] = OPTIONS) -> None:
    predict(id, "What will it be?", options)
    predictions._predictions[id].said = option


def test_what_is_opened_predicted_and_checked_is_recorded(folder: Path) -> None:
    """A start, a claim that answers a prediction, and each check of an exercise are a line, without an answer."""
    start(pair=False)
    said("it", "HOLDS")
    said("other", "BROKEN")
    claim("it", "It is so.", expected=Verdict.BROKEN, observed=BROKEN)
    claim("other", "It is so.", expected=Verdict.BROKEN, observed=[BROKEN] * 3)
    for answer in ("a wrong answer", "right"):
        with exercise("solve") as check:
            check.same(answer, "right", "look again at a wrong answer")
    assert recorded(folder) == [
        {"notebook": "01_one"}, {"prediction": "it", "right": False}, {"prediction": "other", "right": True},
        {"exercise": "solve", "state": "wrong"}, {"exercise": "solve", "state": "done"},
    ]  # fmt: skip


def test_the_participant_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first cell says which seat this is, and what of it is seen."""
    start(pair=False)
    assert capsys.readouterr().out.endswith(
        "seat-07: the class sees which predictions and exercises are solved here, and no answer.\n"
    )


def test_what_the_reader_calls_is_not_recorded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of files and ids that are not the kit's stay out of the record, and so does a claim without prediction."""
    monkeypatch.setenv("JPY_SESSION_NAME", str(folder / "Anna.ipynb"))
    start(pair=False)
    said("anna", "HOLDS")
    claim("anna", "It is so.", expected=Verdict.BROKEN, observed=BROKEN)
    predict("it", "What will it be?", OPTIONS)
    claim("it", "It is so.", expected=Verdict.BROKEN, observed=BROKEN)
    with exercise("anna"):
        assert True
    assert recorded(folder) == []


def test_trials_that_disagree_answer_no_prediction(folder: Path) -> None:
    """Where no option is what was observed, a prediction is neither right nor wrong."""
    start(pair=False)
    said("it", "HOLDS")
    with pytest.raises(kit.notebooks.cells.ClaimFell):
        claim("it", "It is so.", expected=Verdict.BROKEN, observed=[BROKEN, Ruling(Verdict.HOLDS, "another")])
    assert recorded(folder) == [{"notebook": "01_one"}]


def test_without_a_class_nothing_is_recorded_or_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In any other folder a notebook writes no file and says nothing of a seat."""
    monkeypatch.chdir(tmp_path)
    new_kernel(monkeypatch)
    start(pair=False)
    said("it", "HOLDS")
    claim("it", "It is so.", expected=Verdict.BROKEN, observed=BROKEN)
    with exercise("solve"):
        assert True
    assert list(tmp_path.iterdir()) == []
    assert "seat" not in capsys.readouterr().out


def test_a_class_that_has_ended_costs_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A record that is gone is not made again; the notebook says so once and goes on."""
    start(pair=False)
    (folder / RECORD).unlink()
    for _ in range(2):
        with exercise("solve"):
            assert True
    assert not (folder / RECORD).exists()
    assert capsys.readouterr().out.count("This is not recorded for the class: No such file or directory.") == 1


def test_a_line_that_was_cut_costs_no_other(folder: Path) -> None:
    """After a crash in the midst of a line, the next record is whole."""
    with (folder / RECORD).open("a") as file:
        file.write('{"at": "2026-03-01T09:3')
    start(pair=False)
    assert '\n{"at": ' in (folder / RECORD).read_text()


def test_kernels_of_one_seat_write_side_by_side(folder: Path) -> None:
    """Lines of several processes are whole, however they come."""
    children = [subprocess.Popen([sys.executable, "-c", SOLVES, str(folder)]) for _ in range(4)]
    assert [child.wait() for child in children] == [0] * 4
    assert recorded(folder) == [{"exercise": "solve", "state": "done"}] * 800


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "name": 7, "record": "a", "notebooks": {}}', "[" * 9999]
)
def test_a_damaged_file_is_said_and_stops_nothing(
    folder: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A seat's file that cannot be used is named, with what to do, and the notebook starts."""
    (folder / FILE).write_text(content)
    with pytest.raises(NotebookError, match="To do: tell your teacher"):
        seat.read(folder)
    start(pair=False)
    assert f"{FILE} cannot be used" in capsys.readouterr().out
    assert recorded(folder) == []
