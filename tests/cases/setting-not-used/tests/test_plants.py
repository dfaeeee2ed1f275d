def test_no_plants(client):
    assert client.get("/plants").json() == []


def test_still_no_plants(client):
    assert client.get("/plants").json() == []
