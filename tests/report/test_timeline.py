from __future__ import annotations

from dataclasses import replace

import pytest

from kit.evidence.model import Evidence, Frame, Override, Variable
from kit.report.steps import LANES, steps
from kit.report.timeline import timeline
from tests.evidences import answered_by

TEST = "tests/test_api_sites.py::test_get_sites_empty"


def of_one_test(side: str) -> Evidence:
    """Evidence of one test: a variable read, an engine made from it, an override set, a request answered by `side`."""
    evidence = answered_by(side)
    return replace(
        evidence,
        stacks=(*evidence.stacks, (Frame("app/settings.py", 5, "database_url"),)),
        variables=(
            Variable(at_s=0.0, op="inherited", name="INTEGRATION_DATABASE_URL", value="postgresql://u:***@h/db"),
            Variable(at_s=0.05, stack=1, op="read", name="INTEGRATION_DATABASE_URL", value="postgresql://u:***@h/db"),
            Variable(at_s=0.06, stack=1, op="read", name="OTHER_DATABASE_URL", value="postgresql://u:***@h/other"),
        ),
        engines=tuple(replace(engine, variables=("INTEGRATION_DATABASE_URL",)) for engine in evidence.engines),
        overrides=(Override(at_s=0.15, stack=0, test=TEST, op="set", app="a1", key="d1", by="d2"),),
        requests=tuple(replace(request, test=TEST) for request in evidence.requests),
        uses=tuple(replace(use, test=TEST) for use in evidence.uses),
    )


def test_the_steps_lead_from_the_variable_to_the_server() -> None:
    """A test's steps are those of its own engine, in the order of time, and end with the server that answered."""
    found = steps(of_one_test("production"), TEST)
    assert [step.lane for step in found] == ["variable", "variable", "engine", "override", "request", "production"]
    assert [step.side for step in found if step.lane == "engine"] == ["production"]


def test_another_tests_steps_are_left_out() -> None:
    """Nothing is told of a test that used no database."""
    assert steps(of_one_test("test"), "tests/test_other.py::test_other") == ()


def test_the_picture_has_a_panel_for_each_run_and_names_each_lane() -> None:
    """One panel a run, titled with its name; every lane is written out, so that colour alone says nothing."""
    picture = timeline({"alone": of_one_test("test"), "suite": of_one_test("production")}, TEST)
    figure = picture.figure
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["alone", "suite"]
    assert len(figure.axes[0].get_xticklabels()) == len(LANES)
    words = [text.get_text() for text in figure.axes[1].texts]
    assert any("INTEGRATION_DATABASE_URL" in text for text in words)
    assert "app/routers/sites.py:20" in words
    assert picture.png().startswith(b"\x89PNG")
    assert "variable: INTEGRATION_DATABASE_URL read at app/settings.py:5" in picture.words


@pytest.mark.parametrize("side", ["test", "production"])
def test_the_title_says_who_answered_in_the_end(side: str) -> None:
    """Who hears the title alone knows how each run ended."""
    title = timeline({"the suite": of_one_test(side)}, TEST).title
    assert title.startswith("Timeline of test_get_sites_empty. the suite: 6 steps, in the end ")
    assert f"in the end {side} answers" in title


def test_no_text_of_the_picture_runs_into_its_place() -> None:
    """However long a text and a path are, each ends before the other begins, and what is cut says so."""
    long = Frame("tests/integration/very/deep/test_of_what_was_deployed.py", 1234, "test")
    evidence = replace(of_one_test("production"), stacks=((long,), (long,)))
    variables = tuple(replace(variable, name="A_VARIABLE_WITH_A_NAME_THAT_IS_LONG") for variable in evidence.variables)
    engines = tuple(replace(engine, variables=(variables[0].name,)) for engine in evidence.engines)
    figure = timeline({"one": replace(evidence, variables=variables, engines=engines)}, TEST).figure
    figure.draw_without_rendering()
    axes = figure.axes[0]
    written = [text for text in axes.texts if text.get_text()]
    boxes = [text.get_window_extent() for text in written]
    assert not [
        (one.get_text(), other.get_text())
        for one, box in zip(written, boxes, strict=True) for other, its in zip(written, boxes, strict=True)
        if one is not other and box.overlaps(its)
    ]
    assert max(box.x1 for box in boxes) <= axes.get_window_extent().x1 + 1
    assert any("…" in text.get_text() for text in written)
