from __future__ import annotations

from dataclasses import replace

import pytest

from kit.evidence.model import App, Callable, Dependencies, Outcome, Override, Session
from kit.report.tables import (
    as_the_report_told,
    crossed,
    overrides_met,
    run_and_way,
    sites_left,
    sites_seen,
    two_witnesses,
    verdicts,
    way_to_the_rows,
    which_server_answered,
)
from kit.specimens.trial import Trial, as_reported
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


def test_sites_left_are_read_from_the_lines_of_the_run() -> None:
    """Each test is found with the count that was printed after it; a run that counts nothing has none."""
    said = "tests/test_a.py .\nSites left by test_one: 0\n.\nSites left by test_two: 12\n"
    assert sites_left(replace(answered_by("test"), output=said)) == {"test_one": 0, "test_two": 12}
    assert sites_left(answered_by("test")) == {}


def test_the_reports_table_has_a_row_for_each_run_of_the_test() -> None:
    """The table shows what was run, who started it, how it ended and what the test saw."""
    evidence = replace(answered_by("production"), trial=Trial(), outcomes=(ended("failed", SEEN),))
    rows = as_the_report_told([evidence], TEST).rename_axis("run").reset_index().to_dict("records")
    assert rows == [{
        "run": "the suite", "started": "the CI way",
        "test": "test_get_sites_empty", "result": "failed", "sites seen": 731,
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
    """Each run has its verdict beside the reason for it, and says what was built and run."""
    table = verdicts([answered_by("test"), answered_by("production")])
    assert table["verdict"].tolist() == ["HOLDS", "BROKEN"]
    assert table["reason"].str.len().min() > 0
    shown = verdicts([replace(answered_by("test"), trial=Trial((), "none"))])
    assert (shown.index[0], *shown.iloc[0][:2]) == ("clean", "No attempt", "the suite, the CI way")


def test_a_crossed_table_has_the_ruling_that_the_trials_of_a_cell_agree_on() -> None:
    """Rows are values of the trials, columns are given; trials that differ are unresolved, no trial is no ruling."""
    safe, leaky = (
        replace(answered_by(side), trial=Trial(attempt=attempt))
        for side, attempt in (("test", "none"), ("production", "fresh_app"))
    )
    mixed = replace(safe, trial=Trial(attempt="fresh_app"))
    shown = crossed({"one": [safe, leaky], "two": [leaky, mixed]}, lambda trial: trial.attempt).data
    assert shown.to_dict("index") == {
        "none": {"one": "HOLDS", "two": ""}, "fresh_app": {"one": "BROKEN", "two": "UNRESOLVED"},
    }


def test_what_was_run_and_by_whom_is_said_in_words() -> None:
    """The two runs that the report compared differ in both."""
    alone, suite = as_reported(Trial())
    assert run_and_way(alone[0]) == "one test, by hand"
    assert run_and_way(suite[0]) == "the suite, the CI way"


def test_a_crossed_table_can_show_anything_that_is_seen_in_a_trial() -> None:
    """Each cell has the value on which the trials agree, or all that there are."""
    runs = [replace(answered_by("test"), trial=Trial(), exit_code=code) for code in (0, 1, 0)]
    shown = crossed({"runs": runs}, lambda trial: trial.way, lambda evidence: evidence.exit_code).data
    assert shown.to_dict("index") == {"ci": {"runs": "0 or 1"}}


def test_colours_of_one_table_are_not_those_of_another() -> None:
    """Two tables on one page do not share the ids by which their cells are coloured."""
    one, other = (
        crossed({"runs": [replace(answered_by(side), trial=Trial())]}, str).to_html() for side in ("test", "production")
    )
    assert "rgba(11, 92, 173, .16)" in one
    assert "rgba(217, 95, 2, .3)" in other
    assert one.split("\n")[1] != other.split("\n")[1]


def test_the_way_to_the_rows_tells_what_was_given_from_what_was_used() -> None:
    """A row names the dependency, what stood in for it, and the place where the query's own session was made."""
    asked, given = (
        Callable(callable=id, name=f"app.{name}", file="app/database.py", line=line)
        for id, name, line in (("d1", "get_db", 22), ("d2", "override_get_db", 54))
    )
    evidence = answered_by("production")
    use = replace(evidence.uses[0], test=TEST, session="s1")
    chosen = Dependencies(at_s=0.2, request="r1", consulted=True, provider="a1", supplied_by=(("d1", "d2"),))
    evidence = replace(
        evidence, trial=Trial(), uses=(use,), dependencies=(chosen,), callables=(asked, given),
        sessions=(Session(at_s=0.2, stack=0, session="s1"),),
    )
    row, = way_to_the_rows([evidence], TEST).to_dict("records")
    assert row == {
        "the route asks for": "get_db (app/database.py:22)",
        "it is given": "override_get_db (app/database.py:54)",
        "session of the query": "app/routers/sites.py:20",
        "its engine": "app/routers/sites.py:20",
        "answered by": "production",
    }


@pytest.mark.parametrize(("provider", "asks"), [
    ("a1", "a1: app/routers/sites.py:20"), ("a2", "a2: app/routers/sites.py:20"), (None, "no app"),
])
def test_an_override_on_one_app_is_told_from_a_request_of_another(provider: str | None, asks: str) -> None:
    """A row names the app that has the override, and the app that the route asks, which may be none."""
    known = Callable(callable="d1", name="app.database.get_db", file="app/database.py", line=22)
    evidence = replace(
        answered_by("production"), callables=(known,),
        apps=tuple(App(at_s=0.1, stack=0, app=name, type="FastAPI") for name in ("a1", "a2")),
        overrides=(Override(at_s=0.1, op="set", app="a1", key="d1", by="d2"),),
        dependencies=(Dependencies(at_s=0.2, consulted=True, provider=provider, supplied_by=(("d1", None),)),),
    )
    assert overrides_met({"one": evidence}).to_dict("index") == {"one": {
        "override set on": "a1: app/routers/sites.py:20", "for": "app.database.get_db (app/database.py:22)",
        "the route asks": asks, "for what": "app.database.get_db (app/database.py:22)", "and is given": "itself",
    }}
