def test_an_entry_is_added(client):
    client.post("/entries/rent")
    assert client.get("/entries").json()[-1] == "rent"


def test_another_entry_is_added(client):
    client.post("/entries/food")
    assert client.get("/entries").json()[-1] == "food"
