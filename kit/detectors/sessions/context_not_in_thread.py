"""context-not-in-thread: a context variable of the test, which the thread that opens a session does not have."""

from __future__ import annotations

from kit.analysis.case import Case, Leak, of_leak
from kit.analysis.model import Fact, Finding, fact, first
from kit.detectors.kind import Explanation, Kind, Strength, Without, only_by_rerun
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.shared import proposed_by
from kit.evidence.model import Unseen
from kit.probes.interventions.threads import HandOnContext

NAME = "context-not-in-thread"


def of_reader(case: Case, event: Unseen) -> Finding[None] | None:
    """What a re-run may confirm of rows that a thread did not see; None where no thread read them."""
    chain = case.evidence.chain(event)
    if event.thread is None or not chain or case.of_tests(chain[-1].file):
        return None
    made = next((session for session in case.evidence.sessions if session.session == event.reading), None)
    opener = first(case.evidence.chain(made)) if made is not None else chain[0]
    wrote = first(case.evidence.stacks[event.written_at])
    where = chain[-1]
    return Finding(
        NAME,
        f"The thread {event.thread} ({where}) does not have the context variables of {event.test}: it opens a session "
        f"of its own ({opener}), which cannot see the row in {event.table} that {wrote} wrote and did not commit.",
        where.file,
        where.line,
        None,
        (
            fact(case.evidence, event, f"{event.table} read in the thread {event.thread}"),
            Fact("the session that the thread opens", opener.file, opener.line, None, event.test),
        ) if opener is not None else (),
        (),
        (event.test or "",),
    )  # fmt: skip


def of_thread(case: Case, leak: Leak) -> Finding[None] | None:
    """What a re-run may confirm of a leak by a thread; None where the thread is not the application's own."""
    chain = leak.first.chain
    if leak.first.how != "thread" or not chain or case.of_tests(chain[-1].file):
        return None
    where = chain[-1]
    return of_leak(
        case,
        leak,
        NAME,
        f"The thread {leak.first.entry.thread} ({where}), which reached {leak.database.name} at {leak.opener}, does "
        "not have the context variables of the code that starts it.",
        where,
        None,
    )


def hand_on_context(finding: Finding[None]) -> Candidate:
    """Each thread in the context of the code that starts it."""
    return proposed_by(finding, HandOnContext(), advice(finding))


def advice(finding: Finding[None]) -> str:
    """Run the thread in a copy of the context."""
    return (
        f"Start the thread of {finding.where} in the context of the code that starts it "
        "(threading.Thread(target=contextvars.copy_context().run, args=(function,))), or pass it what it needs."
    )


KIND = Kind(
    NAME,
    "A context variable that a thread does not have",
    Explanation(
        what="A test sets a context variable to its session or database, and a thread that the application starts does "
        "not have the variable: it opens one of its own.",
        comes_about="A new thread begins with an empty context (before Python 3.14), unlike a task of asyncio, which "
        "begins with a copy.",
        example="""
        current = ContextVar("current")            # the test sets it to its session

        def session():
            return current.get(None) or Session(engine)

        Thread(target=lambda: session().scalars(query)).start()   # current is not set here
        """,
        proved="A re-run starts each thread in a copy of the context of the code that starts it.",
        to_do="Start the thread with contextvars.copy_context().run, or pass it what it needs.",
    ),
    Strength.CAUSE,
    only_by_rerun,
    Without("re-runs try it where a thread of the application opens a session or a connection of its own"),
    advice,
    because="the thread at {where} does not have the context variables of the tests",
)
