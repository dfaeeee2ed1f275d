"""The database of today's patients, with the archive beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

FOLDER = Path(__file__).parents[1]

engine = create_engine(f"sqlite:///{FOLDER / 'patients.db'}")
SessionLocal = sessionmaker(engine)


@event.listens_for(Engine, "connect")
def with_archive(connection: Any, record: Any) -> None:
    """Any connection can move a patient to the archive in one transaction."""
    connection.execute("attach database ? as archive", (str(FOLDER / "archive.db"),))  # <- culprit


def get_db() -> Iterator[Session]:
    """A session for one request."""
    with SessionLocal() as session:
        yield session
