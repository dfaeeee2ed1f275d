from fastapi.testclient import TestClient


def test_a_parcel_is_taken_in(client: TestClient) -> None:
    """What is taken in is listed."""
    assert client.post("/parcels", json={"label": "to Ada"}).status_code == 201
    assert "to Ada" in client.get("/parcels").json()
