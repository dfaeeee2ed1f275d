"""collection-time-import: the engine is made while another test module is collected."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, of_leak
from kit.analysis.model import Finding, fact
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import set_in_time, without_module
from kit.detectors.variables.written_late import LateAbout, collected_by_another, made_for, written_late
from kit.evidence.model import Variable

NAME = "collection-time-import"


def detect(case: Case) -> Iterator[Finding[LateAbout]]:
    """For each leak: was its engine made while a module of other tests was collected?"""
    for leak in case.leaks:
        late, collecting = written_late(case, leak), collected_by_another(case, leak)
        if late is None or collecting is None:
            continue
        made = made_for(leak)
        chain = case.evidence.chain(made.entry)
        made_where = f"{chain[0].file}:{chain[0].line}" if chain else "?"
        kept_by = made.kept_by if late.at_s < made.at_s else ""
        yield of_leak(
            case,
            leak,
            NAME,
            f"engine of {leak.database.name} ({made_where}) was created while COLLECTING {collecting.file} (line "
            f"{collecting.line}), {late.at_s - made.at_s:.1f} s before {_who(late)} first set {late.name}.",
            collecting,
            LateAbout(late.name, late.value or "", made.url, collecting.file, kept_by),
            (
                fact(case.evidence, made.entry, f"{made.what} made ({made.url})"),
                fact(case.evidence, late, f"{late.name} {late.op}"),
            ),
        )


def _who(event: Variable) -> str:
    return f"fixture {event.fixture}" if event.fixture is not None else event.test or "the tests"


def interventions(finding: Finding[LateAbout], context: Context) -> Iterator[Candidate]:
    """Do not collect the module, or set the variable before anything is imported."""
    about = finding.about
    if about.module:
        yield without_module(finding, about.module, advice(finding))
    cache = about.kept_by.partition("()")[0] if "()" in about.kept_by else ""
    yield set_in_time(finding, context, about.variable, about.value, about.url, advice(finding), cache)


def advice(finding: Finding[LateAbout]) -> str:
    """Set the variable earlier, or import the application later."""
    return (
        f"Set {finding.about.variable} before anything is imported (at the top of conftest.py, or in the environment "
        f"of the command), or import the application inside the tests of {finding.about.module}."
    )


KIND = Kind(
    NAME,
    "An import during collection that makes the engine",
    Explanation(
        what="pytest collected another test module, which imports the application and so makes its engine, before a "
        "fixture sets the variable.",
        comes_about="pytest imports all test modules before it runs the first test. A module that imports the "
        "application at its top decides for all others, each of which passes alone.",
        example="""
        # tests/test_health.py, collected first
        from app.main import app               # makes the engine

        # tests/conftest.py
        @pytest.fixture(autouse=True)
        def test_database(monkeypatch):
            monkeypatch.setenv("DATABASE_URL", TEST_URL)
        """,
        proved="A re-run without collecting that module, or with the variable set before anything is imported.",
        to_do="Set the variable at the top of conftest.py, or import the application inside the tests.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="{where} imports the application before {variable} is set",
)
