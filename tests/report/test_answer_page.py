from __future__ import annotations

import re

import pytest

from kit.answer.diagnosis import Diagnosis, Effect, Run, Status, plain
from kit.report.answer_page import page
from tests.report.test_answer_tables import of


@pytest.mark.parametrize(
    ("side", "headline"), [("production", "Reached and not allowed: "), ("test", "Nothing wrong was found")]
)
def test_the_page_opens_with_what_a_reader_must_know(side: str, headline: str) -> None:
    """The database that tests may not reach is the title of the page; where there is none, what can be said."""
    (title,) = re.findall(r"<h1>(.*?)</h1>", page(of(side)))
    assert title.startswith(headline)


def test_each_cell_of_a_way_says_what_it_is() -> None:
    """On a narrow screen a table has no head, so that each cell has its name."""
    (ways,) = re.findall(r'<table class="routes">(.*?)</table>', page(of("production")), re.DOTALL)
    assert re.findall(r'data-label="(.*?)"', ways) == ["how", "opened at", "in", "times"]
    assert "<td>" not in ways


def test_the_page_of_a_diagnosis_shows_each_run() -> None:
    """What was changed, how many tests were left out, and what it showed; of a run as it is, that it was unchanged."""
    runs = (
        Run((), Effect.STAYS, "prod.db was reached", 1.0, left_out=98),
        Run(("without A", "without B"), Effect.GONE, "not reached", 2.0, remedy=True),
    )
    shown = page(of("production"), plain(Diagnosis(Status.PROVED, "It happened.", (), runs)))
    for text in ("unchanged, 98 tests left out", "still there", "without A and without B", "gone"):
        assert text in shown
