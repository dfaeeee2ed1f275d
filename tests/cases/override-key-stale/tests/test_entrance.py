def test_a_car_enters(client):
    assert client.post("/cars/B-XY-1").status_code == 201
