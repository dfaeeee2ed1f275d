def test_what_is_reported_is_kept(client):
    assert client.post("/sites/east").status_code == 201
