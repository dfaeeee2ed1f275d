"""Did nothing stand in for an engine, a connection or a session of the application's own?"""

from __future__ import annotations

from kit.evidence import Frame, Session
from kit.findings.case import Case, Leak, reach_facts, tests_said, within
from kit.findings.model import Finding, first
from kit.findings.origins import origin_said
from kit.findings.themselves import by_tests


def session_kept(case: Case, leak: Leak) -> Finding | None:
    """A leak came through a session that was opened before its test, by whoever keeps it."""
    session = _session_from_before(case, leak)
    if session is None:
        return None
    at = first(case.evidence.chain(session))
    when = f"in {session.test}" if session.test is not None else f"before the tests ({session.phase})"
    return Finding(
        "session-kept",
        f"{leak.database.name} was reached {within(leak.tests)} through a session that had been opened {when}, "
        f"by {case.leads(case.evidence.chain(session)[:4])}, and was kept since: it stays bound to the engine that it "
        "was made for, whatever the tests put in that one's place.",
        at.file if at else None,
        at.line if at else None,
        reach_facts(case, leak),
        (leak.database.id,),
        leak.tests,
    )


def not_replaced(case: Case, leak: Leak) -> Finding | None:
    """A leak came from an engine or a connection of the application's own, with a URL that stands in the program.

    None where the tests themselves opened it, or no code of the project did.
    """
    at = _maker(case, leak)
    if at is None or by_tests(case, leak):
        return None
    what = "an engine" if leak.engine is not None else "a connection"
    chain = case.evidence.chain(leak.engine) if leak.engine is not None else leak.first.chain
    return Finding(
        "engine-not-replaced",
        f"{leak.database.name} was reached by {case.leads(leak.first.chain[:4])} ({leak.first.how}) in "
        f"{tests_said(leak.tests)}, through {what} of the application's own ({case.leads(chain[:4])}): "
        f"{origin_said(case.evidence, leak.first)}. Nothing that the tests do stands in for it.{_kept(case, leak)}",
        at.file,
        at.line,
        reach_facts(case, leak),
        (leak.database.id,),
        leak.tests,
    )


def _kept(case: Case, leak: Leak) -> str:
    """In which other test the engine was made, and what has kept it since, where that is so."""
    engine = leak.engine
    if engine is None or engine.test is None or set(leak.tests) <= {engine.test}:
        return ""
    names = case.evidence.names
    holder = next((event for event in names if event.holds and event.holds.engine == engine.engine), None)
    by = f" by {holder.module}.{holder.name}" if holder is not None else ""
    return f" It was made in {engine.test}, and is kept{by} for the tests after that, whatever they change."


def _session_from_before(case: Case, leak: Leak) -> Session | None:
    name, test = getattr(leak.first.entry, "session", None), leak.first.test
    found = next((session for session in case.evidence.sessions if session.session == name), None)
    return found if found is not None and test is not None and found.test != test else None


def _maker(case: Case, leak: Leak) -> Frame | None:
    """The application's line that made the engine, or opened the connection."""
    made = first(case.evidence.chain(leak.engine)) if leak.engine is not None else leak.opener
    return made if made is not None and not case.of_tests(made.file) else None
