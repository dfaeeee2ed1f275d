"""`make soak`: a handful of each load holds, and what grows or is left behind is seen."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules of the load test, by their names."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import soak_left
    import soak_rows

    return {"left": soak_left, "rows": soak_rows}


@pytest.fixture
def place(tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A place that does not wait long for what may end by itself."""
    monkeypatch.setattr(tools["left"], "_GONE_WITHIN_S", 0.0)
    with tools["left"].place(tmp_path) as found:
        yield found


def soak(tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run loads and return the rows, which all held."""
    file = tmp_path / "soak.json"
    command = [sys.executable, str(TOOLS / "soak.py"), *arguments, "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(file.read_text())["rows"]  # type: ignore[no-any-return]


def test_a_few_traces_and_starts_hold(tmp_path: Path) -> None:
    """Answers do not change, memory and files stay, nothing is left; each row is in the table and in the JSON."""
    rows = soak(tmp_path, "traces", "pairs", "--times", "2")
    assert [row["what"].partition(":")[0] for row in rows] == ["traces"] * 4 + ["pairs"] * 4
    assert all(row["held"] and row["times"] == 2 for row in rows)


def test_a_handful_of_each_holds(tmp_path: Path) -> None:
    """Trials, pairs, runs of notebooks at once, traces and diagnoses, a handful of each."""
    assert all(row["held"] for row in soak(tmp_path, "--short"))


def test_what_is_left_is_seen(place: Any) -> None:
    """A process, a folder of temporary files, and data of a server; none of them another's."""
    assert place.left("nothing", 1).held
    (place.temporary / "kit-trace-abc").mkdir()
    (place.data / "kit-pair-abc").mkdir()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=place.environ)
    try:
        row = place.left("something", 1)
    finally:
        child.communicate()
    assert not row.held
    for left in (f"process {child.pid}", "kit-trace-abc", "kit-pair-abc"):
        assert left in row.seen


@pytest.mark.parametrize(
    ("values", "growth", "held"),
    [
        ([8, 8, 8, 8, 8, 8, 8, 8], False, True), ([8, 8, 8, 8, 8, 8, 9, 9], False, False),
        ([100, 100, 100, 101, 101, 102, 103, 103], True, True), ([100, 100, 110, 120, 130, 140, 150, 160], True, False),
        ([9, 8, 8, 8], False, True),
    ],
)  # fmt: skip
def test_what_grows_is_seen(tools: Any, values: list[float], growth: bool, held: bool) -> None:
    """Files and connections may not become more; memory may by a twentieth and what is noise."""
    assert tools["rows"].flat("what", 8, values, "MB", growth).held is held


def test_one_that_comes_out_otherwise_is_seen(tools: Any) -> None:
    """What came out wrong is said, each way once."""
    row = tools["rows"].counted_row("what", "right", 8, 10, ["late", "late"])
    assert (row.held, row.seen) == (False, "8 of 10 (late)")
