"""engine-not-used: the tests make an engine that nothing uses, while the application's engine answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Finding, fact, first, location
from kit.analysis.opened_by_tests import by_tests
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import redirected_session
from kit.evidence.model import Engine, Frame
from kit.probes.interventions.base import Intervention
from kit.probes.places import place

NAME = "engine-not-used"


@dataclass(frozen=True, slots=True)
class About:
    """Where the tests make their engine, and the override that opens another engine; "" when no override does."""

    ours: str
    override: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak: did the tests make an engine of another database before it that was never connected?"""
    for leak in case.leaks:
        ours = _of_tests(case, leak)
        if ours is not None and leak.engine is not None and not by_tests(case, leak):
            yield _finding(case, leak, leak.engine, ours)


def _finding(case: Case, leak: Leak, engine: Engine, ours: Engine) -> Finding[About]:
    evidence, override = case.evidence, leak.first.override
    made, instead = first(evidence.chain(ours)), first(evidence.chain(engine))
    assert made is not None
    at: Frame | None = leak.opener if override is not None else made
    who = (
        f"the override {override.name} ({leak.opener}) itself opens"
        if override is not None
        else f"{case.stack_text(leak.first.chain[:4]) or 'the application'} opens"
    )
    return of_leak(
        case,
        leak,
        NAME,
        f"{leak.database.name} answered {within(leak.tests)}: {who} the engine made at "
        f"{location(instead.file, instead.line) if instead else '?'}, and nothing uses the engine of {ours.url} that "
        f"the tests make at {made.file}:{made.line}.",
        at,
        About(f"{made.file}:{made.line}", override.name if override is not None else ""),
        (fact(evidence, ours, f"engine made by the tests ({ours.url}), and never connected"),),
    )


def _of_tests(case: Case, leak: Leak) -> Engine | None:
    """The last engine of another database that test code made before a leak and that was never connected."""
    connected = {one.engine for one in case.evidence.connections} | {use.engine for use in case.evidence.uses}
    there = place(leak.engine.url) if leak.engine is not None else None
    lineage = case.evidence.lineage(leak.first.entry.process)
    return next(
        (
            engine
            for engine in reversed(case.evidence.engines)
            if engine.process in lineage
            and engine.at_s <= leak.first.entry.at_s
            and engine.engine not in connected
            and place(engine.url) != there
            and any(case.of_tests(frame.file) for frame in case.evidence.chain(engine)[:1])
        ),
        None,
    )


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Bind the session of a leak to the unused engine of the tests, or redirect its connections there without one."""
    file, _, line = finding.about.ours.rpartition(":")
    for leak in context.case.leaks:
        if leak.opener is not None and leak.tests == finding.tests and leak.database.id in finding.databases:
            what, change = _onto(context, leak, leak.opener, Frame(file, int(line), ""))
            label = f"with the {what} of {leak.opener.file}:{leak.opener.line} on the tests' engine"
            yield Candidate(finding, label, (change,), advice(finding))


def _onto(context: Context, leak: Leak, opener: Frame, ours: Frame) -> tuple[str, Intervention]:
    """What of a leak is put onto an engine, and how: its session or, without one, its connections."""
    if getattr(leak.first.entry, "session", None) is not None:
        return "session", redirected_session(opener, ours)
    led = context.redirect_engines(leak, sites=context.sites_of([leak]))
    return "connections", replace(led, engine_file=ours.file, engine_line=ours.line)


def advice(finding: Finding[About]) -> str:
    """Use the tests' engine."""
    ours, override = finding.about.ours, finding.about.override
    if override:
        return (
            f"At {finding.where} let the override {override} open its session on the tests' own engine ({ours}), not "
            "on the application's."
        )
    return (
        f"Pass what the tests set up with the engine made at {ours} to the application, container or module that "
        "serves them: where it is now, nothing uses it."
    )


KIND = Kind(
    NAME,
    "An engine of the tests that nothing uses",
    Explanation(
        what="The tests make an engine for their own database, nothing ever connects with it, and the application's "
        "engine answers.",
        comes_about="The engine is put into a container, a module or an application that does not serve the test, or "
        "the override still opens a session on the application's engine.",
        example="""
        engine = create_engine("sqlite:///test.db")

        def get_test_db():
            with SessionLocal() as db:         # the application's factory, not one of `engine`
                yield db
        """,
        proved="A re-run binds the session that was opened to the tests' engine, or redirects the connections of the "
        "application's engine there.",
        to_do="Open the override's session on the tests' engine, or hand the engine to what serves the test.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
