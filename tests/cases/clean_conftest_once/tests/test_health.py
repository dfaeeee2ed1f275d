def test_there_are_no_notes(client):
    assert client.get("/notes").json() == []
