"""override-default: the default of an override's own parameter names the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Finding, fact, first, location
from kit.analysis.reach import runs
from kit.analysis.settings import is_held, named_by_settings
from kit.analysis.url_source import leads_to
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.allowed_databases import value_instead
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import proposed_by
from kit.evidence.model import Callable, Frame
from kit.probes.interventions.overrides import SetDefault

NAME = "override-default"


@dataclass(frozen=True, slots=True)
class About:
    """The override (module.name), its parameter, the value of its default, and the setting that the tests changed.

    `setting` is "" if the default came from no setting that they changed.
    """

    function: str
    parameter: str
    value: str
    setting: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak through an override: does the default of one of its parameters name what it opened?"""
    for leak in case.leaks:
        override = leak.first.override
        if leak.first.how != "override" or override is None or not _makes_it(case, leak, override):
            continue
        for parameter, value in _defaults(case, leak, override):
            if leads_to(value, leak.first):
                yield _finding(case, leak, override, parameter, value)
                break


def _makes_it(case: Case, leak: Leak, override: Callable) -> bool:
    """Whether the override's own code makes the engine or the connection, or calls what does."""
    return any(runs(override, frame) for frame in case.evidence.chain(leak.engine or leak.first.connection))


def _defaults(case: Case, leak: Leak, override: Callable) -> tuple[tuple[str, str], ...]:
    changes = [one for one in case.evidence.overrides if one.by == override.callable]
    return next((one.defaults for one in reversed(changes) if one.at_s <= leak.first.entry.at_s), ())


def _finding(case: Case, leak: Leak, override: Callable, parameter: str, value: str) -> Finding[About]:
    late = next((event for event in named_by_settings(case) if is_held(leak, event)), None)
    changed = first(case.evidence.chain(late)) if late is not None else None
    before = f", before {changed.file}:{changed.line} sets {late.name} to {late.value}" if late and changed else ""
    return of_leak(
        case,
        leak,
        NAME,
        f"{leak.database.name} answered {within(leak.tests)} through the override {override.name}: the default of its "
        f"parameter {parameter} ({value}) was evaluated once, when the function was defined at "
        f"{location(override.file, override.line)}{before}. FastAPI takes the parameters of an override from the "
        "request, and uses the default where the request has none.",
        Frame(override.file, override.line, override.name) if override.file and override.line else None,
        About(override.name, parameter, value, late.name if late is not None else ""),
        (fact(case.evidence, late, f"{late.name} set to {late.value}", changed),) if late is not None else (),
    )


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Another default: an allowed database, else one that does not exist."""
    about = finding.about
    instead = value_instead(context, about.value)
    yield proposed_by(finding, SetDefault(about.function, about.parameter, instead), advice(finding))


def advice(finding: Finding[About]) -> str:
    """Read it in the body."""
    about = finding.about
    what = about.setting or "the test database"
    return (
        f"At {finding.where} remove the parameter {about.parameter}, and read {what} in the body of {about.function}, "
        "where it is evaluated for each request."
    )


KIND = Kind(
    NAME,
    "An override with the database in a parameter's default",
    Explanation(
        what="The override applies, and the default of one of its own parameters names the wrong database.",
        comes_about="Python evaluates a default once, when the function is defined: a setting that the tests change "
        "afterwards does not reach it. FastAPI treats the parameter as one of the request (a query parameter).",
        example="""
        def get_test_db(url: str = settings.url):    # evaluated while conftest.py is imported
            with Session(create_engine(url)) as db:
                yield db

        app.dependency_overrides[get_db] = get_test_db
        settings.url = TEST_URL                      # too late
        """,
        proved="A re-run in which the default of that parameter names another database.",
        to_do="Take the parameter out of the override, and read the setting in its body.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="the default of a parameter of the override at {where} names it",
)
