"""The first sentence names every cause that is needed, and gives none of them the tests of another."""

from __future__ import annotations

import pytest

from kit.analysis.databases import Allowed
from kit.analysis.model import Finding
from kit.answer.model import answer
from kit.detectors.planning.candidate import Candidate
from kit.diagnosing.judge import Symptom
from kit.diagnosing.wording import Project, headline
from kit.evidence.model import Evidence
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
