from fastapi.testclient import TestClient


def test_a_patient_comes_and_goes(client: TestClient) -> None:
    """A patient who has gone is none of today's."""
    assert client.post("/patients/Rex").status_code == 201
    assert client.get("/patients").json() == ["Rex"]
    assert client.delete("/patients/Rex").status_code == 204
    assert client.get("/patients").json() == []
