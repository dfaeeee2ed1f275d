def test_there_are_no_items_yet(client):
    assert client.get("/items").json() == []
