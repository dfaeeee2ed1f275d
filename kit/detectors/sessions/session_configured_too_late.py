"""session-configured-too-late: the tests configure a session factory after its scoped session was opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Finding, fact, first
from kit.analysis.reach import called_by_tests
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.evidence.model import Engine, FactoryBound, Session
from kit.probes.interventions.connections import RemoveFirst
from kit.probes.places import place as place_in

NAME = "session-configured-too-late"


@dataclass(frozen=True, slots=True)
class About:
    """The session that was already open, and where it was opened."""

    session: str
    made: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak through a scoped session: did the tests configure its factory for another engine later?"""
    sessions = {session.session: session for session in case.evidence.sessions if session.scoped}
    for leak in case.leaks:
        names = {getattr(reach.entry, "session", None) for reach in leak.reaches}
        for session in [sessions[name] for name in sorted(filter(None, names)) if name in sessions]:
            bound = _bound_late(case, leak, session)
            if bound is not None:
                yield _finding(case, leak, session, *bound)
                break


def _bound_late(case: Case, leak: Leak, session: Session) -> tuple[FactoryBound, Engine] | None:
    """The tests' last configuration for another database, between the opening of a session and a leak through it.

    Returned with its engine. A configuration whose engine is missing from the record does not count.
    """
    engines = {engine.engine: engine for engine in case.evidence.engines}
    there = place_in(leak.engine.url) if leak.engine is not None else None
    mine = [reach.entry for reach in leak.reaches if getattr(reach.entry, "session", None) == session.session]
    found = [
        (bound, engines[bound.engine])
        for bound in case.evidence.factories_bound
        if bound.factory == session.factory
        and bound.process == session.process
        and session.at_s < bound.at_s <= mine[-1].at_s
        and case.done_by_tests(bound)
        and bound.engine in engines
        and place_in(engines[bound.engine].url) != there
    ]
    return found[-1] if found and session.factory is not None else None


def _finding(case: Case, leak: Leak, session: Session, bound: FactoryBound, engine: Engine) -> Finding[About]:
    evidence = case.evidence
    chain, opened = evidence.chain(bound), evidence.chain(session)
    at = called_by_tests(chain, case.of_tests) or first(chain)
    where = f"{opened[0].file}:{opened[0].line}" if opened else "?"
    led = leak.engine.url if leak.engine is not None else leak.first.connection.configured
    return of_leak(
        case,
        leak,
        NAME,
        f"{leak.database.name} answered {within(leak.tests)}, through the scoped session that {where} had opened on "
        f"the engine of {led}. {case.stack_text(chain[:3])} configures its factory for {engine.url} AFTER that, which "
        "has no effect on a session that is open: remove() was not called before.",
        at,
        About(session.session, where),
        (
            fact(evidence, session, f"session opened on the engine of {led}"),
            fact(evidence, bound, f"its factory configured for {engine.url}", at),
        ),
    )


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Remove the scoped session first, and redirect the connections that it had made before."""
    if not finding.file or not finding.line:
        return
    removed = RemoveFirst(finding.file, finding.line)
    before = _before(finding, context)
    led = (context.redirect_engines(before[0], sites=context.sites_of(before)),) if before else ()
    beside = f", and the earlier connections of {finding.about.made} redirected" if led else ""
    yield Candidate(finding, f"{removed.label}{beside}", (removed, *led), advice(finding))


def _before(finding: Finding[About], context: Context) -> list[Leak]:
    """The other leaks through the same session, outside the tests, which no later configuration prevents."""
    return [
        leak
        for leak in context.case.leaks
        if not leak.tests
        and any(getattr(reach.entry, "session", None) == finding.about.session for reach in leak.reaches)
    ]


def advice(finding: Finding[About]) -> str:
    """Remove the session before the configuration."""
    return (
        f"Call remove() on the scoped_session before {finding.where} configures it; and let {finding.about.made} open "
        "no session while modules are imported."
    )


KIND = Kind(
    NAME,
    "A scoped session opened before its factory is configured",
    Explanation(
        what="The tests configure a factory of sessions for their own engine, and the application's scoped session was "
        "open already, on another engine.",
        comes_about="A scoped_session keeps one session for each thread until remove() is called: one that was opened "
        "while a module was imported, or in an earlier test. configure() has no effect on it.",
        example="""
        Session = scoped_session(sessionmaker(bind=engine))
        COLOURS = Session().scalars(select(Colour)).all()   # when the module is imported

        @pytest.fixture
        def database():
            Session.configure(bind=test_engine)             # without Session.remove() before
        """,
        proved="A re-run in which the session is removed before that line, and its earlier connections are redirected.",
        to_do="Call remove() before configure().",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="{where} configures the session factory only after the scoped session was opened",
)
