"""test-module-imported-twice: a file of the tests is loaded as two modules, with an engine in each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, describe_tests
from kit.analysis.model import Fact, Finding, fact, first
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate, diff
from kit.detectors.planning.context import Context
from kit.evidence.model import Engine, Frame, Module
from kit.probes.interventions.texts import EditModule

NAME = "test-module-imported-twice"


@dataclass(frozen=True, slots=True)
class About:
    """The module name under which the file was loaded first, and the name of the second import."""

    loaded_as: str
    imported_as: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each file of the tests that was loaded again: did a test fail on the engine of the second module?"""
    for event in case.evidence.modules:
        names = [name for name in event.names if name != event.name]
        by = first(case.evidence.chain(event))
        if event.reloaded or event.name is None or not names or by is None or not case.of_tests(event.file):
            continue
        for earlier, engine in _pairs(case, event):
            tests = _gone_wrong(case, engine)
            if tests:
                yield _finding(case, event, by, (earlier, engine), About(names[0], event.name), tests)


def _pairs(case: Case, event: Module) -> Iterator[tuple[Engine, Engine]]:
    """Pairs of engines that one line of the file made: the earlier one, and the second module's."""
    chains = [(engine, case.evidence.chain(engine)[:1]) for engine in case.evidence.engines]
    mine = [one for one in chains if one[1] and one[1][0].file == event.file and one[0].process == event.process]
    importer = case.evidence.chain(event)[:1]
    for engine, at in mine:
        earlier = next((one for one, line in mine if line == at and one.at_s < event.at_s), None)
        if earlier is not None and engine.at_s > event.at_s and case.evidence.chain(engine)[1:2] == importer:
            yield earlier, engine


def _gone_wrong(case: Case, engine: Engine) -> tuple[str, ...]:
    """The tests that used an engine and failed, or reached a wrong database through it."""
    wrong = {one.test for one in case.evidence.outcomes if one.outcome == "failed"}
    wrong |= {test for leak in case.leaks if leak.engine == engine for test in leak.tests}
    used = (use.test for use in case.evidence.uses if use.engine == engine.engine)
    return tuple(dict.fromkeys(test for test in used if test is not None and test in wrong))


def _finding(
    case: Case, event: Module, by: Frame, engines: tuple[Engine, Engine], about: About, tests: tuple[str, ...]
) -> Finding[About]:
    earlier, engine = engines
    made = first(case.evidence.chain(engine))
    return Finding(
        NAME,
        f"{event.file} is loaded as {about.loaded_as}, and {by.file}:{by.line} imports it again, as "
        f"{about.imported_as}: {made} makes one engine in each ({engine.url}). What the tests set up on the one does "
        f"not exist on the other, in {describe_tests(tests)}.",
        by.file,
        by.line,
        about,
        (
            fact(case.evidence, earlier, f"engine made in {about.loaded_as} ({earlier.url})"),
            fact(case.evidence, event, f"{event.file} imported again, as {about.imported_as}"),
            Fact(f"engine made in {about.imported_as} ({engine.url})", made.file, made.line, engine.at_s)
            if made is not None
            else Fact(f"engine made in {about.imported_as} ({engine.url})"),
        ),
        tuple(dict.fromkeys(leak.database.id for leak in case.leaks if leak.engine == engine)),
        tests,
    )


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Import the file under the name by which it was loaded first."""
    statement, about = context.statement(finding.file, finding.line), finding.about
    if statement is None or finding.file is None:
        return
    text = re.sub(rf"(?<![\w.]){re.escape(about.imported_as)}(?![\w.])", about.loaded_as, statement.text)
    change = EditModule(finding.file, ((statement.first, statement.last, text),))
    if text != statement.text:
        yield Candidate(
            finding,
            f"with {about.loaded_as} imported at {finding.where}, and not {about.imported_as}",
            (change,),
            diff(finding.file, statement.first, statement.text, text),
        )


def advice(finding: Finding[About]) -> str:
    """Import the file under one name."""
    return (
        f"At {finding.where} import {finding.about.loaded_as} instead of {finding.about.imported_as}, or use a "
        "fixture: pytest loads a conftest.py itself."
    )


KIND = Kind(
    NAME,
    "A file of the tests imported as two modules",
    Explanation(
        what="A file of the tests (mostly a conftest.py) is loaded as two modules, and makes an engine in each: "
        "tables, rows and overrides of the one do not exist on the other.",
        comes_about="pytest loads tests/conftest.py as `conftest` where the folder has no __init__.py. A test module "
        "that imports `tests.conftest` makes Python execute the file again, and takes its session factory from the "
        "copy.",
        example="""
        # tests/conftest.py, which pytest loads as `conftest`
        engine = create_engine("sqlite://", poolclass=StaticPool)

        # tests/test_notes.py
        from tests.conftest import TestSession  # a second engine, without the tables
        """,
        proved="A re-run in which the import names the module as pytest has loaded it.",
        to_do="Import it by the name that pytest gives it, give tests/ an __init__.py, or use a fixture.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
