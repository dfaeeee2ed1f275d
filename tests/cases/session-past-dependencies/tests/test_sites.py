def test_a_site_is_added(client):
    assert client.post("/sites/north").status_code == 201


def test_there_are_no_sites(client):
    assert client.get("/sites").json() == []
