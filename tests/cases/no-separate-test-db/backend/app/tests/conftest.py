import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core import engine


@pytest.fixture(scope="session", autouse=True)
def db():
    with Session(engine) as session:
        session.execute(text("delete from members"))  # <- culprit
        session.commit()
        yield session
