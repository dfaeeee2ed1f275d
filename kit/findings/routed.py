"""Did a session send what it was asked to another engine than its own?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.evidence import Engine, Session
from kit.findings.case import Case, Leak, reach_facts, tests_said
from kit.findings.model import Fact, Finding, first
from kit.findings.sources import made_at

_BY = {"get_bind": "its class's own get_bind()", "binds": "the `binds` that it was given"}


def ask(case: Case) -> Iterator[Finding]:
    """For each leak through a session that has an engine of its own: was it sent past that, and by what?"""
    sessions = {session.session: session for session in case.evidence.sessions}
    for leak in case.leaks:
        session = sessions.get(getattr(leak.first.entry, "session", None) or "")
        if session is None or leak.engine is None or session.routed_at is None or session.routed_by is None:
            continue
        if session.engine is not None and session.engine != leak.engine.engine:
            yield _finding(case, leak, leak.engine, session)


def _finding(case: Case, leak: Leak, engine: Engine, session: Session) -> Finding:
    assert session.routed_at is not None
    assert session.routed_by is not None
    at = first(case.evidence.stacks[session.routed_at])
    own = next(one for one in case.evidence.engines if one.engine == session.engine)
    return Finding(
        "session-routed",
        f"{leak.database.name} was reached in {tests_said(leak.tests)} through a session that {leak.opener} opens on "
        f"another engine ({own.url}, made at {made_at(case.evidence, own)}): {_BY[session.routed_by]} ({at}) sent it "
        f"to the engine made at {made_at(case.evidence, engine)}, whatever the session was opened on.",
        at.file if at else None,
        at.line if at else None,
        (
            Fact(f"where the session is sent: {session.routed_by}", at.file if at else None, at.line if at else None),
            *reach_facts(case, leak),
        ),
        (leak.database.id,),
        leak.tests,
    )
