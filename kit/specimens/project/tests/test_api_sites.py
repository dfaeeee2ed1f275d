from uuid import uuid4

from app.models import Site


def new_site():
    """A site that no run has created before."""
    return {"name": "New site", "url": f"https://{uuid4().hex}.example"}


async def test_get_sites_empty(client):
    response = await client.get("/sites")

    assert response.status_code == 200
    data = response.json()
    assert data["sites"] == []


async def test_get_site(client, test_db):
    site = Site(**new_site())
    test_db.add(site)
    await test_db.commit()

    response = await client.get(f"/sites/{site.id}")

    assert response.status_code == 200
    assert response.json()["url"] == site.url


async def test_get_site_that_is_not_there(client):
    response = await client.get("/sites/2000000000")

    assert response.status_code == 404


async def test_create_site(client):
    new = new_site()

    response = await client.post("/sites", json=new)

    assert response.status_code == 201
    assert response.headers["Location"] == f"/sites/{response.json()['id']}"
    data = (await client.get("/sites")).json()
    assert [site["url"] for site in data["sites"]] == [new["url"]]


async def test_create_site_needs_a_url(client):
    response = await client.post("/sites", json={"name": "New site"})

    assert response.status_code == 422
