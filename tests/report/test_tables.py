from __future__ import annotations

from dataclasses import replace

import pytest

from kit.evidence import Outcome
from kit.report.tables import as_the_report_told, sites_seen, two_witnesses, verdicts, which_server_answered
from kit.trial import Trial
from tests.evidences import answered_by

TEST = "tests/test_api_sites.py::test_get_sites_empty"
SEEN = "AssertionError: assert [{'id': 1}, ...] == []\n  \n  Left contains 731 more items, first extra item: {'id': 1}"


def ended(outcome: str, message: str | None = None) -> Outcome:
    return Outcome(test=TEST, when="call", outcome=outcome, at_s=1.0, message=message)


@pytest.mark.parametrize(("outcome", "sites"), [
    (ended("passed"), 0), (ended("failed", SEEN), 731), (ended("failed", "ConnectionRefusedError"), None),
])
def test_sites_seen_are_read_from_pytests_own_words(outcome: Outcome, sites: int | None) -> None:
    """A test that passed saw none; one that failed saw as many as pytest says; for another reason, it does not say."""
    evidence = replace(answered_by("test"), outcomes=(outcome,))
    assert sites_seen(evidence, TEST) == sites
    assert sites_seen(evidence, "tests/test_other.py::test_other") is None


def test_the_reports_table_has_a_row_for_each_run_of_the_test() -> None:
    """The table shows what was run, who started it, how it ended and what the test saw."""
    evidence = replace(answered_by("production"), trial=Trial(), outcomes=(ended("failed", SEEN),))
    rows = as_the_report_told([evidence], TEST).rename_axis("run").reset_index().to_dict("records")
    assert rows == [{
        "run": "suite", "started": "the CI way", "test": "test_get_sites_empty", "result": "failed", "sites seen": 731,
    }]


def test_each_request_is_shown_with_the_server_that_answered() -> None:
    """The server is the observed one, and the opener is the application's own line."""
    evidence = replace(answered_by("production"), trial=Trial())
    row, = which_server_answered([evidence]).to_dict("records")
    assert row["answered by"] == "production"
    assert row["request"] == "GET /sites"
    assert row["opened at"] == "app/routers/sites.py:20"


def test_witnesses_that_do_not_agree_are_shown_as_such() -> None:
    """A backend that only the server's log has makes the two disagree."""
    evidence = answered_by("production")
    assert two_witnesses([evidence])["agree"].tolist() == [True, True]
    more = (*(evidence.backends or ()), replace((evidence.backends or ())[0], pid=8))
    assert two_witnesses([replace(evidence, backends=more)])["agree"].tolist() == [True, False]


def test_verdicts_come_with_their_reasons() -> None:
    """Each run has its verdict beside the reason for it."""
    table = verdicts([answered_by("test"), answered_by("production")])
    assert table["verdict"].tolist() == ["HOLDS", "BROKEN"]
    assert table["reason"].str.len().min() > 0
