from shop.app import app
from shop.deps import current_user


def test_me(client):
    app.dependency_overrides[current_user] = lambda: "somebody"
    try:
        assert client.get("/me").json() == {"user": "somebody"}
    finally:
        app.dependency_overrides.clear()  # <- culprit


def test_me_without_a_token(client):
    assert client.get("/me").status_code == 401
