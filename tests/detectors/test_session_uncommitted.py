"""Rows that were not committed: what is told of who reads in vain."""

from __future__ import annotations

import pytest

from kit.analysis.case import Case
from kit.analysis.databases import Allowed
from kit.detectors.sessions.session_uncommitted import detect
from kit.evidence.model import Evidence, Frame, Outcome, Session, Unseen

TEST = "tests/test_rooms.py::test_listed"
WROTE = (Frame("tests/test_rooms.py", 20, "test_listed"),)
READ = tuple(
    Frame(*place)
    for place in (("hall/main.py", 10, "rooms"), ("hall/server.py", 13, "call"), ("hall/server.py", 15, "run"))
)
MADE = (Frame("hall/context.py", 14, "session"), *READ)


def facts(thread: str | None, session: str | None) -> list[tuple[str | None, int | None]]:
    unseen = Unseen(
        at_s=2, stack=1, test=TEST, thread=thread, table="rooms", reader="2", writer="1", reading=session, writing="s1",
        written_at=0, written_in=TEST,
    )  # fmt: skip
    evidence = Evidence(
        stacks=(WROTE, READ, MADE), unseen=(unseen,), sessions=(Session(at_s=1, stack=2, session="s2", test=TEST),),
        outcomes=(Outcome(test=TEST, when="call", outcome="failed", at_s=3),),
    )  # fmt: skip
    (finding,) = detect(Case(evidence, (), Allowed(None, "/project"), ()))
    return [(one.file, one.line) for one in finding.evidence[2:]]


@pytest.mark.parametrize(
    ("thread", "session", "wanted"),
    [
        (None, None, []),
        (None, "s2", [("hall/context.py", 14)]),
        ("Thread-1", None, [("hall/server.py", 15)]),
        ("Thread-1", "s2", [("hall/context.py", 14), ("hall/server.py", 15)]),
    ],
)
def test_who_reads_is_told_with_its_session_and_its_thread(
    thread: str | None, session: str | None, wanted: list[tuple[str, int]]
) -> None:
    """The line that made the reading session is a fact, and the one that runs in a thread of its own."""
    assert facts(thread, session) == wanted
