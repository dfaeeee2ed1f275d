def test_there_are_no_patients_yet(client):
    assert client.get("/patients").json() == 0
