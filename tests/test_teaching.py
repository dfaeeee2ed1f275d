"""The guide for a class keeps to its minutes, and names claims that the notebooks make."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "teaching.md").read_text()


def minutes(heading: str, guide: str = GUIDE) -> int:
    """The minutes of a route's table, added up."""
    table = guide.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return sum(map(int, re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)))


def unknown_claims(guide: str = GUIDE) -> list[str]:
    """The claims that the guide names, as `01: sites-seen`, and that no cell of that notebook makes."""
    missing = []
    for number, id in re.findall(r"`(\d\d[a-z]?): ([\w-]+)`", guide):
        (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
        cells = nbformat.read(path, as_version=4).cells
        if not any(re.search(rf'claim\(\s*"{re.escape(id)}"', cell.source) for cell in cells):
            missing.append(f"{number}: {id}")
    return missing


def test_the_routes_take_as_long_as_they_say() -> None:
    """The minutes of the short route are two hours, those of the long one half a day; one minute more is noticed."""
    assert minutes("Two hours") == 120
    assert minutes("Half a day") == 240
    assert minutes("Two hours", GUIDE.replace("| 10 | the report", "| 11 | the report")) == 121


def test_each_experiment_has_its_claim() -> None:
    """Every claim that the guide promises is made in the notebook that it names; a misspelt one is found."""
    assert len(re.findall(r"`\d\d[a-z]?: ", GUIDE)) > 20
    assert unknown_claims() == []
    assert unknown_claims("`01: no-such-claim`") == ["01: no-such-claim"]


def test_every_notebook_that_is_named_is_there() -> None:
    """The notebooks of the routes exist."""
    named = set(re.findall(r"`(\d\d[a-z]?_\w+|your_own_suite)`", GUIDE))
    assert named
    assert {name for name in named if not (ROOT / "notebooks" / f"{name}.ipynb").is_file()} == set()
