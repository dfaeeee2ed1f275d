"""session-routed: a session routes statements to another engine than its own."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, Leak, describe_tests, of_leak
from kit.analysis.model import Fact, Finding, Nothing, first
from kit.analysis.url_source import made_at
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import proposed_by
from kit.evidence.model import Engine, Session
from kit.probes.interventions.connections import NoRouting

NAME = "session-routed"
_BY = {"get_bind": "its class's own get_bind()", "binds": "the `binds` that it was given"}


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each leak through a session with an engine of its own: was it routed to another engine, and by what?"""
    sessions = {session.session: session for session in case.evidence.sessions}
    engines = {engine.engine: engine for engine in case.evidence.engines}
    for leak in case.leaks:
        session = sessions.get(getattr(leak.first.entry, "session", None) or "")
        if session is None or leak.engine is None or session.routed_at is None or session.routed_by is None:
            continue
        own = engines.get(session.engine or "")  # a truncated record may lack it
        if own is not None and own.engine != leak.engine.engine:
            yield _finding(case, leak, leak.engine, session, own)


def _finding(case: Case, leak: Leak, engine: Engine, session: Session, own: Engine) -> Finding[Nothing]:
    assert session.routed_at is not None
    assert session.routed_by is not None
    at = first(case.evidence.stacks[session.routed_at])
    what = f"where the session is routed: {session.routed_by}"
    return of_leak(
        case,
        leak,
        NAME,
        f"{leak.database.name} was reached in {describe_tests(leak.tests)} through a session that {leak.opener} opens "
        f"on another engine ({own.url}, made at {made_at(case.evidence, own)}): {_BY[session.routed_by]} ({at}) "
        f"routed it to the engine made at {made_at(case.evidence, engine)}, whatever the session was opened on.",
        at,
        Nothing(),
        (Fact(what, at.file if at else None, at.line if at else None),),
    )


def interventions(finding: Finding[Nothing], context: Context) -> Iterator[Candidate]:
    """Use each session's own engine."""
    yield proposed_by(finding, NoRouting(), advice(finding))


def advice(finding: Finding[Nothing]) -> str:
    """Let tests set the engines that the routing uses."""
    return (
        f"{finding.where} routes statements away from the engine that the tests give the session: take its engines "
        "from what tests can set, or let the tests' own factory do without (class_=Session, binds={})."
    )


KIND = Kind(
    NAME,
    "A session that is routed to another engine",
    Explanation(
        what="The session was opened on the tests' engine, and its class or its binds route statements to another.",
        comes_about="A get_bind() of one's own (a reader and a writer), or `binds` for some classes, chooses an "
        "engine for each statement, whatever the session was opened on.",
        example="""
        class RoutingSession(Session):
            def get_bind(self, mapper=None, clause=None, **kw):
                return writer if self._flushing else reader   # the application's engines
        """,
        proved="A re-run with each session on the engine that it was opened with.",
        to_do="Let get_bind() take its engines from what tests can set.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
