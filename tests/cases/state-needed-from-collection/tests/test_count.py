from fastapi.testclient import TestClient

from orchard.main import app
from orchard.store import Base, engine


def test_no_tree_is_planted():
    Base.metadata.create_all(engine)
    assert TestClient(app).get("/trees").json() == 0
