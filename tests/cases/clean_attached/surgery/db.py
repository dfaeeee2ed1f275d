"""The database of today's patients, with the archive beside it."""

import os
from collections.abc import Iterator
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session

engine = create_engine(f"sqlite:///{os.environ['SURGERY_DB']}")


@event.listens_for(engine, "connect")
def with_archive(connection: Any, record: Any) -> None:
    """A connection can move a patient to the archive in one transaction."""
    connection.execute("attach database ? as archive", (os.environ["SURGERY_ARCHIVE"],))


def get_db() -> Iterator[Session]:
    """A session for one request."""
    with Session(engine) as session:
        yield session
