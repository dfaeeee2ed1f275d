from crm.database import Customer


async def test_a_customer_is_created(client):
    assert (await client.post("/customers/Ada")).status_code == 201
    assert (await client.get("/customers")).json() == ["Ada"]


async def test_a_row_of_the_fixture_is_seen(client, session):
    session.add(Customer(name="Grace"))
    await session.flush()
    assert (await client.get("/customers")).json() == ["Grace"]


async def test_nothing_is_left(client):
    assert (await client.get("/customers")).json() == []
