def test_an_order_is_taken(client):
    assert client.post("/orders").status_code == 201


def test_orders_are_counted(client):
    before = client.post("/orders").json()["orders"]
    assert client.post("/orders").json()["orders"] == before + 1
