"""Every finding and every cause that is shown says where its kind is explained."""

from __future__ import annotations

import pytest

from kit.analysis.databases import Allowed
from kit.answer.diagnosis import Cause, Diagnosis, Status, plain
from kit.answer.model import Answer, answer, contract
from kit.report.answer_page import page
from kit.report.answer_text import github, text
from kit.report.diagnosis_text import text as told
from tests.analysis.seen_runs import leak

EXPLAINED = "kit explain engine-not-replaced"


@pytest.fixture
def found() -> Answer:
    return answer(leak(), Allowed(("test.db",), "/project"), "/project")


def test_a_finding_says_where_it_is_explained_wherever_it_is_shown(found: Answer) -> None:
    """On the terminal, in the page, in annotations and in JSON a finding names the command that explains it."""
    assert [finding.kind for finding in found.findings] == ["engine-not-replaced"]
    assert [EXPLAINED in shown for shown in (text(found), page(found), github(found))] == [True] * 3
    assert [finding["explained_by"] for finding in contract(found)["findings"]] == [EXPLAINED]


def test_a_cause_says_where_it_is_explained_wherever_it_is_shown(found: Answer) -> None:
    """A proved cause names the command, too, and shows the facts of the finding that it holds."""
    finding = found.findings[0]
    cause = Cause(finding, finding.file, finding.line, "Let tests set it.", "with the engine redirected", True)
    diagnosis = Diagnosis(Status.PROVED, "It was reached.", (cause,))
    assert [one["explained_by"] for one in plain(diagnosis)["causes"]] == [EXPLAINED]
    assert EXPLAINED in told(found, diagnosis)
    assert finding.evidence[0].what in told(found, diagnosis)
    assert page(found, plain(diagnosis)).count(EXPLAINED) == 2
