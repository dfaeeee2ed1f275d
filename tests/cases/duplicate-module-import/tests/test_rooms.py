def test_no_rooms_at_first(client):
    assert client.get("/rooms").json() == []
