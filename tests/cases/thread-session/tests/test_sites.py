def test_a_site_is_kept(client):
    client.post("/sites/north")
    assert "north" in client.get("/sites").json()
