def test_an_order_is_listed(client):
    assert client.get("/orders").json() == []


def test_there_are_no_orders_yet(get):
    assert get("/orders") == b"[]"
