import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from ledger.api import app
from ledger.db import Base


@pytest.fixture
def session():
    engine = create_engine("sqlite:///ledger-test.db")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    Base.metadata.drop_all(engine)


@pytest.fixture
def client(session):
    return TestClient(app)
