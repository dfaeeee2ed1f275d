import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from ledger.api import create_app


@pytest.fixture
async def client(monkeypatch, tmp_path):
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/ledger.sqlite")
    async with engine.begin() as connection:
        await connection.execute(text("create table entries (amount integer)"))
    monkeypatch.setattr("ledger.db.SessionLocal", async_sessionmaker(engine))
    transport = httpx.ASGITransport(app=create_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
    await engine.dispose()


@pytest.mark.asyncio
async def test_a_new_ledger_is_empty(client):
    assert (await client.get("/balance")).json() == {"balance": 0}


@pytest.mark.asyncio
async def test_an_entry_is_accepted(client):
    response = await client.post("/entries/250")
    assert response.status_code == 202
