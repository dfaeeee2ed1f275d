from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from kit.analysis.databases import Allowed
from kit.analysis.model import Finding
from kit.answer.diagnosis import Cause, Diagnosis, Effect, Run, Status
from kit.answer.model import Answer, answer
from kit.answer.timeline import subject, timeline
from kit.report import answer_tables as tables
from kit.report.diagnosis_text import together
from kit.report.timeline import answer_panel, answer_timeline
from tests.evidences import answered_by
from tests.report.test_timeline import HOSTILE, TEST, Texts, of_one_test


def of(side: str, allowed: str = "*kit-test*") -> Answer:
    """The answer to a run of one test that was answered by `side`."""
    return answer(of_one_test(side), Allowed((allowed,), "/project"))


def test_a_test_that_reached_what_is_not_allowed_is_marked() -> None:
    """Each test has a row, and the row says whether it was where it should not have been."""
    for side, wrong in (("test", False), ("production", True)):
        assert tables.each_test(of(side))["wrong"].to_dict() == {TEST: wrong}


def test_tests_that_went_the_same_way_share_a_row() -> None:
    """A way to a database is told once, with the number of tests that took it."""
    evidence = of_one_test("production")
    other = [replace(use, test="tests/test_api_sites.py::test_other") for use in evidence.uses]
    found = answer(replace(evidence, uses=(*evidence.uses, *other)), Allowed(("*kit-test*",), "/project"))
    (row,) = tables.reached(found).to_dict("records")
    assert (row["allowed"], row["tests"]) == (False, 2)


def test_the_drawing_leads_to_the_database_that_is_not_allowed() -> None:
    """The timeline of an answer ends with the database and with whether it may be reached; e1 leads to the request."""
    for side, judged in (("production", "not allowed"), ("test", "allowed")):
        rows = answer_panel(of(side), TEST, lambda _: "").rows
        assert (rows[-1].lane, rows[-1].side) == ("answer", judged)
        assert [(row.lane, row.uses) for row in rows if row.uses] == [("request", ("e1",))]
        shown = answer_timeline(of(side))
        assert f"kit-{side}, which is {judged}: INTEGRATION_DATABASE_URL → engine e1 (" in shown.title
        assert f"answer: {rows[-1].text}" in shown.words


def test_the_drawing_is_about_a_write_where_there_is_one() -> None:
    """A test that read the wrong database earlier is passed over for one that wrote to it."""
    evidence = of_one_test("production")
    [use] = evidence.uses
    writer = "tests/test_api_sites.py::test_writes"
    uses = (use, replace(use, at_s=use.at_s + 1, test=writer, writes=True))
    found = answer(replace(evidence, uses=uses), Allowed(("*kit-test*",), "/project"))
    of_writing = answer_timeline(found).title
    assert of_writing.startswith("test_writes writes to kit-production, which is not allowed: ")
    assert of_writing.endswith(" Timeline of what led to the first write to a wrong database.")
    assert answer_timeline(of("production")).title.endswith(" Timeline of what led to the first wrong database.")


def test_the_drawing_has_the_lines_of_the_project() -> None:
    """Each place shows the code that is given for it."""
    shown = answer_timeline(of("production"), lambda frame: f"code of {frame.line}")
    assert 'aria-label="app/routers/sites.py:20: code of 20"' in shown.html


def test_the_title_is_about_the_write_and_not_about_what_came_last() -> None:
    """A test that reaches an allowed database after the wrong one is told by the wrong one."""
    evidence = of_one_test("production")
    [connection], [use] = evidence.connections, evidence.uses
    later = replace(connection, connection="c2", configured="postgresql://u@h/test",
                    observed=answered_by("test").connections[0].observed)
    uses = (replace(use, writes=True), replace(use, at_s=0.9, connection="c2", request=None))
    found = answer(replace(evidence, connections=(connection, later), uses=uses), Allowed(("*kit-test*",), "/project"))
    shown = answer_timeline(found)
    assert shown.title.startswith("test_get_sites_empty writes to kit-production, which is not allowed: ")
    assert "answer: kit-test answers (allowed)" in shown.words.splitlines()[-1]


def test_a_timeline_without_a_wrong_database_says_so() -> None:
    """What led to a test's own database is not called wrong."""
    title = answer_timeline(of("test")).title
    assert title.startswith("test_get_sites_empty reaches kit-test, which is allowed: ")
    assert title.endswith(" Timeline of what led to the first database of a test.")


def test_a_row_is_short_and_the_whole_sentence_is_at_hand() -> None:
    """The URL is in no row that is shown; whoever points at a text, moves to it, or reads the words has all of it."""
    answered = of("production")
    shown = answer_timeline(answered, lambda _: "engine = create_engine(URL)")
    moments = timeline(answered, subject(answered))
    texts = [given for _, given in Texts(shown.html).elements if given.get("class") == "kd-what"]
    assert [given["tabindex"] for given in texts] == ["0"] * len(moments)
    for given, step in zip(texts, moments, strict=True):
        assert step.what in str(given["aria-label"])
        assert step.what in shown.words
        assert step.what in shown.svg
    rows = answer_panel(answered, TEST, lambda _: "").rows
    assert not [row.said for row in rows if "://" in row.said or len(row.said) > 90]
    assert "kit-production is kit-production/ at h:5432" in shown.words


def test_no_name_of_a_database_is_markup() -> None:
    """A server and a path that are called like a script are shown as text, in the rows, the legend and the SVG."""
    evidence = of_one_test("production")
    [connection] = evidence.connections
    named = replace(connection, observed={**(connection.observed or {}), "cluster_name": HOSTILE})
    shown = answer_timeline(answer(replace(evidence, connections=(named,)), Allowed(("none",), "/project")))
    assert "script" not in {tag for tag, _ in Texts(shown.html).elements}
    assert "\x1b" not in shown.html + shown.svg
    assert "<script>" in "".join(ElementTree.fromstring(shown.svg).itertext())


def test_the_line_of_code_is_seen_without_pointing() -> None:
    """HTML and SVG show the code of each step below its text, because a picture in a file cannot be pointed at."""
    shown = answer_timeline(of("production"), lambda frame: f"code of {frame.line}")
    assert '<code class="kd-line">code of 20</code>' in shown.html
    assert ">code of 20</text>" in shown.svg


def test_the_marks_of_a_database_are_in_each_row_that_names_it() -> None:
    """Whether a database is allowed is seen in each row that names it, by its mark, and said in words in the legend."""
    shown = answer_timeline(of("production"))
    rows = [row for row in answer_panel(of("production"), TEST, lambda _: "").rows if row.names]
    assert {row.side for row in rows} == {"not allowed"}
    mark = '<span class="kd-side-not-allowed"><span aria-hidden="true">▲ </span>kit-production</span>'
    assert shown.html.count(mark) == len(rows) + 1
    assert shown.svg.count("▲ kit-production") == len(rows) + 2
    assert ", not allowed" in Texts(shown.html).text


def test_findings_and_steps_are_rows_with_their_lines() -> None:
    """A finding has its line and its words; a step has the time since the start, in milliseconds, and its line."""
    found = of("production")
    assert [(kind, row["where"]) for kind, row in tables.findings(found).iterrows()] == [
        (one.kind, one.where) for one in found.findings
    ]
    steps = tables.steps(found)
    assert list(steps.index) == sorted(steps.index)
    assert "app/routers/sites.py:20" in set(steps["where"])


def test_runs_and_causes_of_a_diagnosis_are_rows() -> None:
    """Each re-run says what was changed and what came of it, each cause where it is and what to change."""
    finding = Finding("import-time-engine", "m", "app/db.py", 5, None)
    diagnosis = Diagnosis(
        Status.PROVED,
        "It happened.",
        (Cause(finding, "app/db.py", 5, "Make it later.", "without it", alone=True),),
        (Run((), Effect.STAYS, "prod.db answered", 1.04), Run(("without it",), Effect.GONE, "it passes", 2.0)),
    )
    assert tables.runs(diagnosis).reset_index().to_numpy().tolist() == [
        ["unchanged", "still there", "prod.db answered", 1.0], ["without it", "gone", "it passes", 2.0],
    ]  # fmt: skip
    assert tables.causes(diagnosis).reset_index().to_numpy().tolist() == [
        ["import-time-engine", "app/db.py:5", "Make it later."]
    ]


@pytest.mark.parametrize(
    ("alone", "said"),
    [
        ((True, True), ["app/a.py:1 and app/a.py:2 act together: removing either one is enough."]),
        ((True, True, True), ["app/a.py:1 and app/a.py:2 and app/a.py:3 act together: removing any one of them is "
                              "enough."]),
        ((True, False), ["app/a.py:1 and app/a.py:2 act independently: all of them must be removed."]),
        ((True,), []),
    ],
)  # fmt: skip
def test_how_causes_act_together_is_said(alone: tuple[bool, ...], said: list[str]) -> None:
    """Each that is enough by itself, or only all of them."""
    finding = Finding("import-time-engine", "m", "app/a.py", 1, None)
    causes = [Cause(finding, "app/a.py", line, "", "", alone=enough) for line, enough in enumerate(alone, 1)]
    assert list(together(causes)) == said
