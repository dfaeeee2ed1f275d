from fastapi.testclient import TestClient


def test_a_tree_is_planted():
    from app.main import app

    assert TestClient(app).post("/trees/apple").status_code == 201
