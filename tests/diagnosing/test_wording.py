"""The first sentence names every cause that is needed, and gives none of them the tests of another."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kit.analysis.databases import Allowed
from kit.analysis.model import Finding
from kit.answer.model import answer
from kit.detectors.planning.candidate import Candidate
from kit.diagnosing.judge import Symptom
from kit.diagnosing.wording import Project, headline, written_by
from kit.evidence.model import Evidence, SettingsFile, Variable
from kit.probes.interventions.connections import NoRouting

TESTS = ("test_a", "test_b", "test_c")
SYMPTOM = Symptom(
    answer(Evidence(), Allowed(("test.db",), "/project"), "/project"), frozenset({"prod.db"}), TESTS,
    frozenset({*TESTS, "test_d"}), False,
)  # fmt: skip


def cause(line: int, *tests: str) -> Candidate:
    finding = Finding("opened-by-the-tests", "m", "it.py", line, None, (), ("prod.db",), tests)
    return Candidate(finding, f"without {line}", (NoRouting(),), "")


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        ((cause(1, *TESTS),), "3 tests read  because it.py:1 opens it by itself."),
        ((cause(1, "test_a"), cause(2, "test_b", "test_c")),
         "3 tests read : 1 because it.py:1 opens it by itself, and 2 because it.py:2 opens it by itself."),
        ((cause(1, *TESTS), cause(2, "test_b")),
         "3 tests read : because it.py:1 opens it by itself, and because it.py:2 opens it by itself."),
        ((cause(1), cause(2, *TESTS)),
         "3 tests read : because it.py:1 opens it by itself, and because it.py:2 opens it by itself."),
    ],
    ids=["one cause", "of different tests", "of the same tests", "of tests that are not known"],
)  # fmt: skip
def test_the_first_sentence_counts_tests_for_each_cause(needed: tuple[Candidate, ...], said: str) -> None:
    """Where causes have tests of their own each is told with their number, and else without one."""
    assert headline(SYMPTOM, needed, Project()) == said


@pytest.mark.parametrize(
    ("op", "read", "said"),
    [
        ("missing", (), "pytest.ini:3 sets SHOP_URL, but nothing in this run took it from that file."),
        ("missing", ("pytest.ini",), ""),
        ("set", (), ""),
    ],
)
def test_a_file_that_would_have_set_the_variable_is_named(op: str, read: tuple[str, ...], said: str) -> None:
    """Run with another configuration (-c ci.ini), the file with the tests' database is one that nobody read."""
    text = "[pytest]\nenv =\n    SHOP_URL=sqlite:///test.db\n"
    evidence = Evidence(
        variables=(Variable(at_s=1.0, op=op, name="SHOP_URL", value=None, stack=None),),
        settings_files=tuple(SettingsFile(at_s=0.5, stack=None, file=file, entries=()) for file in read),
    )
    finding = Finding("no-separate-test-db", "m", "it.py", 1, SimpleNamespace(variable="SHOP_URL"), (), (), TESTS)
    first = answer(evidence, Allowed(("test.db",), "/project"), "/project")
    candidate = Candidate(finding, "with it", (NoRouting(),), "")
    assert written_by(candidate, first, Project(text_of={"pytest.ini": text}.get)) == said
