def test_a_site_is_kept(client):
    assert client.post("/sites/north").status_code == 201
    assert "north" in client.get("/sites").json()
