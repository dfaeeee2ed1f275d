"""session-kept: a session opened before the test is kept and stays bound to its first engine."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Finding, Nothing, first
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import redirected_session
from kit.evidence.model import Session

NAME = "session-kept"


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each leak: did it use a session that was opened before its test and kept?"""
    for leak in case.leaks:
        session = _earlier_session(case, leak)
        if session is None:
            continue
        chain = case.evidence.chain(session)
        when = f"in {session.test}" if session.test is not None else f"before the tests ({session.phase})"
        yield of_leak(
            case,
            leak,
            NAME,
            f"{leak.database.name} was reached {within(leak.tests)} through a session that had been opened {when}, "
            f"by {case.stack_text(chain[:4])}, and kept since: it stays bound to its engine, whatever the tests "
            "replace that with.",
            first(chain),
            Nothing(),
        )


def _earlier_session(case: Case, leak: Leak) -> Session | None:
    name, test = getattr(leak.first.entry, "session", None), leak.first.test
    found = next((session for session in case.evidence.sessions if session.session == name), None)
    return found if found is not None and test is not None and found.test != test else None


def interventions(finding: Finding[Nothing], context: Context) -> Iterator[Candidate]:
    """Bind the kept session to the tests' engine as soon as that is made."""
    meant = context.engine_of_tests()
    opener = next((leak.opener for leak in context.leaks_of(finding) if leak.engine is not None), None)
    if meant is not None and opener is not None:
        redirected = redirected_session(opener, meant)
        yield Candidate(finding, redirected.label, (redirected,), advice(finding))


def advice(finding: Finding[Nothing]) -> str:
    """Open a new session."""
    return (
        f"Open the session at {finding.where} for each use, or close it after use (scoped_session.remove()), so that "
        "none is left from before."
    )


KIND = Kind(
    NAME,
    "A session kept from before the test",
    Explanation(
        what="The session was opened before the test, or in another one, and stays bound to the engine of that time.",
        comes_about="A scoped_session, a repository made at import or a cached service keeps one session for the whole "
        "run.",
        example="""
        Session = scoped_session(sessionmaker(engine))   # keeps its session until remove() is called
        """,
        proved="A re-run binds the session that is kept to the tests' engine as soon as that is made.",
        to_do="Open a session for each use, or call scoped_session.remove() after each test.",
    ),
    Strength.ROUTE,
    detect,
    interventions,
    advice,
)
