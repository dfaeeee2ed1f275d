"""A file of the tests that is loaded as two modules is told where a test goes wrong on the second engine."""

from __future__ import annotations

from typing import Any

import pytest

from kit.analysis.databases import Allowed
from kit.analysis.reach import reaches
from kit.detectors.detection import findings
from kit.evidence.model import Connection, Engine, Evidence, Frame, Module, Outcome, Use

TEST = "tests/test_notes.py::test_a_note_is_shown"
IMPORTS = Frame("tests/test_notes.py", 2, "<module>")


def run(outcome: str = "failed", file: str = "tests/conftest.py", used: str = "e2", **module: Any) -> Evidence:
    """A run in which a conftest is loaded twice, each time with an engine, and a test uses one of them."""
    made = Frame(file, 10, "<module>")
    engines = [
        Engine(
            at_s=at_s, stack=stack, engine=name, url="sqlite://", dialect="sqlite", driver="pysqlite",
            pool="StaticPool",
        )
        for name, at_s, stack in (("e1", 1.0, 0), ("e2", 3.0, 1))
    ]  # fmt: skip
    again = {"name": "tests.conftest", "names": ("conftest", "tests.conftest"), "reloaded": False, **module}
    return Evidence(
        stacks=((made,), (made, IMPORTS), (IMPORTS,)),
        modules=(Module(at_s=2.0, stack=2, file=file, times=2, **again),),
        engines=tuple(engines),
        connections=(Connection(
            at_s=4.0, stack=2, connection="c1", driver="sqlite3", configured=":memory:", observed={"file": None},
            pooled=True, engine=used, test=TEST, phase="call",
        ),),
        uses=(Use(at_s=4.0, stack=2, connection="c1", engine=used, test=TEST, phase="call"),),
        outcomes=(Outcome(test=TEST, when="call", outcome=outcome, at_s=5.0),),
    )  # fmt: skip


def told(evidence: Evidence) -> list[tuple[str, str]]:
    found = findings(evidence, reaches(evidence, "/project"), Allowed(("test.db",), "/project"))
    return [(finding.kind, finding.where) for finding in found]


def test_the_second_import_is_named() -> None:
    """The finding is at the line that imports the file once more, and says both names."""
    assert told(run()) == [("test-module-imported-twice", "tests/test_notes.py:2")]


@pytest.mark.parametrize(
    "evidence",
    [
        run("passed"),
        run(used="e1"),
        run(reloaded=True),
        run(names=("tests.conftest",)),
        run(file="app/db.py"),
    ],
    ids=["it-passes", "on-the-first", "reloaded", "one-name", "of-the-application"],
)
def test_what_does_no_harm_is_not_told(evidence: Evidence) -> None:
    """Nothing is told where the test passes, uses the first engine, or no file of the tests has two names."""
    assert told(evidence) == []
