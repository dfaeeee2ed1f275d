"""Whole diagnoses of tests that fail because an earlier one left a listener, a receiver or a handler behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kit.answer.diagnosis import Diagnosis, Status
from kit.diagnosing import diagnose
from tests.projects import LIGHT, write

SHOP = """
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import sessionmaker
    from sqlalchemy.pool import StaticPool

    engine = create_engine("sqlite://", poolclass=StaticPool)
    SessionLocal = sessionmaker(engine)
    RECEIVERS = {}

    def connect(receiver):
        RECEIVERS[id(receiver)] = receiver
        return receiver

    def ask():
        with SessionLocal() as db:
            return db.scalar(text("select 1"))
"""
VICTIM = """
    import signal, sys
    from shop import RECEIVERS, ask

    def test_ask(): assert ask() == 1
    def test_receivers(): assert not RECEIVERS
    def test_signal(): assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
    def test_hook(): assert sys.excepthook is sys.__excepthook__
"""
LISTENING = """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import Pool
    from shop import SessionLocal, ask, engine

    def test_listening():
        seen = []

        @event.listens_for({target}, {name!r})  # <- line
        def refuse(*given):
            seen.append(given)
            assert len(seen) < 2, "once is enough"

        ask()
        assert seen
        {after}
"""
RECEIVING = """
    from shop import RECEIVERS, connect

    def test_receiving():
        def receive(): return 1
        connect(receive)
        assert RECEIVERS
"""
HANDLING = """
    import signal, sys

    def test_handling():
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        sys.excepthook = lambda *error: None
        assert signal.getsignal(signal.SIGUSR2) is signal.SIG_IGN
"""


def diagnosed(folder: Path, test: str, polluter: str) -> Diagnosis:
    """Diagnose a test of the victims after the polluter's."""
    project = write(folder, {"shop.py": SHOP, "test_a.py": polluter, "test_b.py": VICTIM, "conftest.py": ""})
    command = [sys.executable, "-m", "pytest", *LIGHT, "-p", "no:randomly"]
    return diagnose(command, (), folder=project, tests=[f"test_b.py::{test}"])[1]


@pytest.mark.parametrize(
    ("target", "name", "places"),
    [
        # SQLAlchemy makes `dispatch` when something first asks for it, so that all of it can be new.
        ("engine", "before_cursor_execute", ("shop.engine.dispatch",)),
        ("Engine", "before_cursor_execute", ("shop.engine.dispatch", "the listeners of ConnectionEvents")),
        ("Session", "do_orm_execute", ("the listeners of SessionEvents.do_orm_execute",)),
        ("SessionLocal", "do_orm_execute", ("the listeners of SessionEvents.do_orm_execute",)),
        ("Pool", "checkout", ("shop.engine.pool.dispatch.checkout", "the listeners of PoolEvents.checkout")),
    ],
)
def test_a_listener_that_is_left_is_named_with_its_line(
    tmp_path: Path, target: str, name: str, places: tuple[str, ...]
) -> None:
    """On one engine, on every engine, session or pool: the line that listens is named, and its removal is the proof.

    The listener is named once, under one of the places in which SQLAlchemy keeps it.
    """
    polluter = LISTENING.format(target=target, name=name, after="")
    found = diagnosed(tmp_path, "test_ask", polluter)
    assert found.status is Status.PROVED, found
    (cause,) = found.causes
    line = next(number for number, text in enumerate(polluter.splitlines(), 0) if text.endswith("# <- line"))
    assert (cause.file, cause.line) == ("test_a.py", line + 1)
    assert any(place in cause.what for place in places), cause.what
    assert "sqlalchemy.event.remove(...)" in cause.fix


@pytest.mark.parametrize(
    ("test", "polluter", "place", "at"),
    [
        ("test_receivers", RECEIVING, "RECEIVERS[id(test_a.test_receiving.<locals>.receive)]", "shop.py:11"),
        ("test_signal", HANDLING, "signal.getsignal(signal.SIGUSR2) from 'SIG_DFL' to 'SIG_IGN'", "test_a.py:5"),
        ("test_hook", HANDLING, "sys.excepthook", "test_a.py:6"),
    ],
    ids=["receiver", "signal", "hook"],
)
def test_other_handlers_that_are_left(tmp_path: Path, test: str, polluter: str, place: str, at: str) -> None:
    """A receiver known by its address, a handler of a signal and a hook are named alike in each run, and proved."""
    found = diagnosed(tmp_path, test, polluter)
    assert found.status is Status.PROVED, found
    (cause,) = found.causes
    assert f"{cause.file}:{cause.line}" == at
    assert place in cause.what


def test_a_listener_that_is_removed_is_no_cause(tmp_path: Path) -> None:
    """The test takes its listener away at its end: nothing depends on it."""
    polluter = LISTENING.format(target="Session", name="do_orm_execute",
                                after="event.remove(Session, 'do_orm_execute', refuse)")  # fmt: skip
    found = diagnosed(tmp_path, "test_ask", polluter)
    assert (found.status, found.causes) == (Status.UNRESOLVED, ())
    assert "passes alone" in found.happened
