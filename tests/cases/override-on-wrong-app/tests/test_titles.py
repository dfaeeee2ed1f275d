import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from service.application import app
from service.storage import session


@pytest.fixture
async def catalogue():
    engine = create_async_engine("sqlite+aiosqlite:///data/catalogue-test.db")
    async with engine.begin() as connection:
        await connection.execute(text("create table if not exists titles (title text)"))

    async def test_session():
        async with async_sessionmaker(engine)() as opened:
            yield opened

    app.dependency_overrides[session] = test_session  # <- culprit
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://catalogue") as client:
        yield client
    del app.dependency_overrides[session]
    await engine.dispose()


async def test_the_catalogue_is_empty(catalogue):
    assert (await catalogue.get("/v1/titles")).json() == {"count": 0}


async def test_the_service_is_up(catalogue):
    assert (await catalogue.get("/health")).json() == {"status": "ok"}
