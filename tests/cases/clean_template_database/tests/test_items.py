async def test_an_item_is_added(client):
    await client.post("/items/nut")
    assert (await client.get("/items")).json() == ["bolt", "nut"]


async def test_the_next_test_has_a_copy_of_its_own(client):
    assert (await client.get("/items")).json() == ["bolt"]
