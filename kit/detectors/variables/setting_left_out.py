"""setting-left-out: one of several settings of the application, to which the tests gave no database of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.made_alike import one_of_several
from kit.analysis.model import Finding, fact, first
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.allowed_databases import value_instead
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.evidence.model import Engine, Text
from kit.probes.interventions.texts import EditModule
from kit.probes.places import place

NAME = "setting-left-out"


@dataclass(frozen=True, slots=True)
class About:
    """The setting (module.global['key']), and its value as evidence shows it."""

    variable: str
    value: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """Find each leak through one of the engines of a line that makes a right one, too, and the setting of its URL."""
    for leak in case.leaks:
        other, text = _rightly_made(case, leak), _text(case, leak)
        at = first(case.evidence.chain(text)) if text is not None else None
        if other is None or text is None or at is None or leak.engine is None:
            continue
        made = first(case.evidence.chain(other))
        yield of_leak(
            case,
            leak,
            NAME,
            f"{made} makes engines of several databases: that of {other.url} is in order, and {leak.database.name} "
            f"answered {within(leak.tests)}. Its URL is {text.name} ({at.file}:{at.line}), which the tests do not set.",
            at,
            About(text.name, text.value),
            (fact(case.evidence, leak.engine, f"engine made ({leak.engine.url})"),),
        )


def _rightly_made(case: Case, leak: Leak) -> Engine | None:
    chain = case.evidence.chain(leak.engine) if leak.engine is not None else ()
    other = one_of_several(case, leak, [(frame.file, frame.line) for frame in chain[:4]])
    wrong = {place(one.engine.url) for one in case.leaks if one.engine is not None}
    return other if other is not None and place(other.url) not in wrong else None


def _text(case: Case, leak: Leak) -> Text | None:
    """The setting whose text is the URL of a leak's engine; None where several are."""
    if leak.engine is None or leak.engine.variables:
        return None
    stand = (one for one in case.evidence.texts if not one.is_held)
    found = [one for one in stand if place(one.value) == place(leak.engine.url) is not None]
    return found[0] if len({case.evidence.chain(one) for one in found}) == 1 else None


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Give the setting the text of another database where it stands in the program."""
    value, line = finding.about.value, context.text_at(finding.file, finding.line)
    if finding.file is None or finding.line is None or value not in line:
        return
    text = line.replace(value, value_instead(context, value))
    label = f"with {finding.about.variable} at {finding.where} naming another database"
    yield Candidate(finding, label, (EditModule(finding.file, ((finding.line, finding.line, text),)),), advice(finding))


def advice(finding: Finding[About]) -> str:
    """Set that one, too."""
    return (
        f"Give {finding.about.variable} the test database, too, where the tests set the others ({finding.where} has "
        "the application's own)."
    )


KIND = Kind(
    NAME,
    "A setting that the tests leave as it is",
    Explanation(
        what="The application has a setting for each of several databases, and the tests set only some of them.",
        comes_about="SQLALCHEMY_BINDS, a read replica or an archive has a URL of its own beside the main one, and the "
        "tests' configuration names the main one only.",
        example="""
        class Config:
            SQLALCHEMY_DATABASE_URI = "sqlite:////srv/app.db"
            SQLALCHEMY_BINDS = {"audit": "sqlite:////srv/audit.db"}

        app = create_app({"SQLALCHEMY_DATABASE_URI": "sqlite:///test.db"})   # audit is the real one
        """,
        proved="A re-run in which that text in the program names another database.",
        to_do="Set it, too, in the tests' configuration.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="the tests leave {variable} as it is at {where}",
)
