"""fixture-names-database: a fixture of the tests that gives the URL or the file of the wrong database."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Finding, fact, first
from kit.analysis.settings import made_for
from kit.analysis.url_source import leads_to, url_source_of
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.allowed_databases import value_instead
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import proposed_by
from kit.evidence.model import Given
from kit.probes.interventions.tests import GiveInstead
from kit.probes.interventions.texts import EditModule
from kit.probes.places import place

NAME = "fixture-names-database"


@dataclass(frozen=True, slots=True)
class About:
    """The fixture, and the value that it gives, as evidence shows it."""

    fixture: str
    value: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """Find each leak whose URL is what a fixture of the tests had given, and comes from no variable."""
    for leak in case.leaks:
        given = _given(case, leak)
        at = first(case.evidence.chain(given)) if given is not None else None
        if given is None or at is None:
            continue
        yield of_leak(
            case,
            leak,
            NAME,
            f"The fixture {given.name} ({at.file}:{at.line}) gives {given.value}, and {leak.database.name} answered "
            f"{within(leak.tests)}.",
            at,
            About(given.name, given.value),
            (fact(case.evidence, given, f"{given.name} gives {given.value}"),),
        )


def _given(case: Case, leak: Leak) -> Given | None:
    """The last fixture before a leak's engine was made whose value names its database."""
    made = made_for(leak)
    if made.entry.literal is not None or url_source_of(case.evidence, leak.first).variable is not None:
        return None
    before = [
        event
        for event in case.evidence.given
        if event.process == made.entry.process
        and event.at_s <= made.entry.at_s
        and (leads_to(event.value, leak.first) or place(event.value) == place(made.url) is not None)
        and any(case.of_tests(frame.file) for frame in case.evidence.chain(event))
    ]
    return before[-1] if before else None


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Leave the fixture out where an outer one of its name takes over, else have it give another database."""
    name, file = finding.about.fixture, finding.file or ""
    outer = _outer(name, file, context)
    span = _span(context.text_of(file) or "", name)
    if outer and span is not None:
        said = f"without the fixture {name} of {file}, so that {outer} counts"
        lines = "pass" + "\n#" * (span[1] - span[0])
        fix = (
            f"The fixture {name} at {finding.where} takes the place of the one at {outer}: remove it, or let it name "
            "the test database."
        )
        yield Candidate(finding, said, (EditModule(file, ((*span, lines),)),), fix)
    yield proposed_by(
        finding, GiveInstead(name, file, value_instead(context, finding.about.value)), advice(finding)
    )


def _outer(name: str, file: str, context: Context) -> str:
    """Where a conftest.py of an outer folder, or beside a module, defines a fixture of the same name; "" if none."""
    path = PurePosixPath(file)
    folders = [*path.parents] if path.name != "conftest.py" else [*path.parent.parents] if file != "conftest.py" else []
    for folder in folders:
        outer = str(folder / "conftest.py")
        span = _span(context.text_of(outer) or "", name)
        if span is not None:
            return f"{outer}:{span[0]}"
    return ""


def _span(text: str, name: str) -> tuple[int, int] | None:
    """The first line and the last of the only function of that name at the top of a module, decorators included."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    found = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name and node.decorator_list
    ]
    if len(found) != 1:
        return None
    return found[0].decorator_list[0].lineno, found[0].end_lineno or found[0].lineno


def advice(finding: Finding[About]) -> str:
    """Name the test database there."""
    return f"Let the fixture {finding.about.fixture} ({finding.where}) give the test database."


KIND = Kind(
    NAME,
    "A fixture that names the database",
    Explanation(
        what="The URL of the wrong database is the value of a fixture of the tests.",
        comes_about="A conftest.py of a subfolder defines a fixture of the same name as an outer one, and pytest takes "
        "the nearer; or a fixture was left with a developer's URL.",
        example="""
        # tests/slow/conftest.py: takes the place of the fixture of tests/conftest.py
        @pytest.fixture(scope="session")
        def database_url():
            return "sqlite:///app.db"
        """,
        proved="A re-run without the nearer fixture, so that the outer one counts, or with the fixture giving another "
        "database.",
        to_do="Remove the nearer fixture, or let it give the test database.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="the fixture at {where} names it",
)
