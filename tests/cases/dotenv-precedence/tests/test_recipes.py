from fastapi.testclient import TestClient

from cookbook.api import app


def test_a_recipe_is_kept():
    with TestClient(app) as client:
        client.post("/recipes/soup")
        assert "soup" in client.get("/recipes").json()
