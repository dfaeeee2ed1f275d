"""A session that sends what it is asked to another engine than its own is told with what sends it there."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.answer.diagnosis import Status
from tests.projects import diagnosed, write

STORE = """
    from sqlalchemy import Column, MetaData, Table, create_engine
    from sqlalchemy.orm import Session, registry, sessionmaker

    class Event: pass

    registry().map_imperatively(Event, Table("sqlite_master", MetaData(), Column("name", primary_key=True)))
    primary, replica = create_engine("sqlite:///shop.db"), create_engine("sqlite:///replica.db")

    class Routing(Session):
        def get_bind(self, *args, **kwargs):
            return replica

    factory = {factory}
"""
TESTS = """
    from sqlalchemy import create_engine
    from store import Event, factory

    def test_events():
        with factory(bind=create_engine("sqlite:///test.db")) as session:
            assert session.query(Event).count() == 0
"""


@pytest.mark.parametrize(
    ("factory", "line", "by"),
    [
        ("sessionmaker(primary, class_=Routing)", 11, "its class's own get_bind()"),
        ("sessionmaker(primary, binds={Event: replica})", 14, "the `binds` that it was given"),
    ],
)
def test_what_sends_a_session_elsewhere_is_named_and_proved(tmp_path: Path, factory: str, line: int, by: str) -> None:
    """The tests open the session on their own engine: without what sends it elsewhere, that one is used."""
    project = write(tmp_path, {"store.py": STORE.format(factory=factory), "tests/test_events.py": TESTS})
    answer, diagnosis = diagnosed(project, allow=["test.db"])
    finding = answer.findings[0]
    assert (finding.kind, finding.file, finding.line) == ("session-routed", "store.py", line)
    assert by in finding.message
    assert diagnosis.status is Status.PROVED
    assert [cause.kind for cause in diagnosis.causes] == ["session-routed"]
