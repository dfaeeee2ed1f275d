"""variable-precedence: another variable takes precedence over the one that the tests set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak
from kit.analysis.model import Finding, fact, first, location
from kit.analysis.opened_by_tests import by_tests
from kit.analysis.url_source import Source, url_source_of, writer
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import without_variable
from kit.detectors.variables.written_late import Made, made_for, written_late
from kit.detectors.words import Words, read_there
from kit.evidence.model import Frame, Variable

NAME = "variable-precedence"


@dataclass(frozen=True, slots=True)
class About:
    """The variable that takes precedence, the one over which it does, and whether setdefault kept its value."""

    variable: str
    instead: str = ""
    kept: bool = False


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak: did another variable take precedence over one that the tests had set in time?"""
    for leak in case.leaks:
        if by_tests(case, leak) or written_late(case, leak) is not None:
            continue
        source = url_source_of(case.evidence, leak.first)
        written = source.written
        if source.variable is not None and written is not None and not case.done_by_tests(written):
            yield from _went_first(case, leak, source, source.variable, written)


def _went_first(case: Case, leak: Leak, source: Source, name: str, written: Variable) -> Iterator[Finding[About]]:
    evidence, made = case.evidence, made_for(leak)
    others, kept = _others(case, made, name), _kept_default(case, leak, name)
    if kept is None and not others:
        return
    at = first(evidence.chain(made.entry))
    read: Frame | None = first(evidence.chain(source.read)) if source.read is not None else at
    if kept is not None:
        read = first(evidence.chain(kept))
        why = f": it was set already, so that setdefault at {writer(evidence, kept)} did not change it."
    else:
        why = (
            f", and not from {others[-1].name}, which {writer(evidence, others[-1])} had set: {name} takes precedence "
            "at "
            f"{location(read.file, read.line) if read else '?'}."
        )
    yield of_leak(
        case,
        leak,
        NAME,
        f"{made.what} of {leak.database.name} ({location(at.file, at.line) if at else '?'}) took its URL from "
        f"{source.named}, written by {writer(evidence, written)}{why}",
        read,
        About(name, others[-1].name if others and kept is None else "", kept is not None),
        (
            *(fact(evidence, event, f"{event.name} {event.op}") for event in others[-1:]),
            fact(evidence, made.entry, f"{made.what} made ({made.url})"),
        ),
    )


def _others(case: Case, made: Made, name: str) -> list[Variable]:
    """The other variables that the tests had set in time."""
    return [
        event
        for event in case.evidence.variables
        if event.op == "set"
        and event.name != name
        and event.process == made.entry.process
        and event.at_s <= made.at_s
        and case.done_by_tests(event)
        and not _has_an_engine(case, event.name, name)
    ]


def _has_an_engine(case: Case, name: str, other: str) -> bool:
    """Whether the application made another engine from a variable, which then does not compete for this one."""
    return any(
        name in (engine.variables or ()) and other not in (engine.variables or ())
        for engine in case.evidence.engines
        for made in case.evidence.chain(engine)[:1]
        if not case.of_tests(made.file)
    )


def _kept_default(case: Case, leak: Leak, name: str) -> Variable | None:
    """The tests' `setdefault` that found the variable set already."""
    return next(
        (
            event
            for event in case.evidence.variables
            if event.op == "kept"
            and event.name == name
            and event.process == leak.first.entry.process
            and any(case.of_tests(frame.file) for frame in case.evidence.chain(event)[:1])
        ),
        None,
    )


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Remove the variable that takes precedence from the environment."""
    if finding.about.variable:
        yield without_variable(finding, context, finding.about.variable, advice(finding))


def advice(finding: Finding[About]) -> str:
    """Remove the variable from the environment, or set it."""
    return (
        f"Do not set {finding.about.variable} where the tests run; or, before the application is imported, remove it "
        "in conftest.py (os.environ.pop), or set it there (os.environ[...] = ..., not setdefault)."
    )


def _used(about: About, where: str) -> str:
    """How the program prefers the variable, or lets it keep its value."""
    if about.instead and where:
        return f", and {where} prefers it to {about.instead}"
    if about.kept and where:
        return f", and setdefault at {where} does not change it"
    return read_there(about, where)


KIND = Kind(
    NAME,
    "A variable that takes precedence over the tests'",
    Explanation(
        what="The tests set a variable in time, and the application prefers another one.",
        comes_about="`os.environ.get(A) or os.environ.get(B)` prefers what the CI job or the shell exports, or the "
        "tests use setdefault, which does not change a variable that is set.",
        example="""
        # CI: export INTEGRATION_DATABASE_URL=postgresql://production/app
        os.environ["DATABASE_URL"] = TEST_URL  # conftest.py
        url = os.environ.get("INTEGRATION_DATABASE_URL") or os.environ["DATABASE_URL"]   # app/settings.py
        """,
        proved="A re-run without the variable that takes precedence.",
        to_do="Do not set it where the tests run, or remove it at the top of conftest.py.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    words=Words(used=_used),
)
