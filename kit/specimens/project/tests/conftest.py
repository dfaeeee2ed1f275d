import asyncio
import os

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import delete, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

TEST_DATABASE_URL = os.environ["TEST_DATABASE_URL"]

# The application reads its settings when it is imported, so the test database is set before that.
os.environ["DATABASE_URL"] = TEST_DATABASE_URL

from app.database import Base, get_db  # noqa: E402
from app.main import app  # noqa: E402
from app.models import Site  # noqa: E402


def pytest_report_header():
    assert os.environ["DATABASE_URL"] == TEST_DATABASE_URL
    return f"VERIFIED: DATABASE_URL names the test database: {make_url(TEST_DATABASE_URL).database}"


@pytest.fixture(scope="session")
def event_loop():
    """One loop for the whole run, for pytest-asyncio before 0.24."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest_asyncio.fixture
async def test_db():
    """A session on the test database, whose tables are there and empty."""
    engine = create_async_engine(TEST_DATABASE_URL)
    print(f"TEST ENGINE: Using database URL: {engine.url!r}")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(delete(Site))
    async with AsyncSession(engine, expire_on_commit=False) as session:
        database = await session.scalar(text("select current_database()"))
        assert database == make_url(TEST_DATABASE_URL).database
        print(f"VERIFIED: Connected to test database: {database}")
        yield session
    await engine.dispose()


@pytest_asyncio.fixture
async def client(test_db):
    """A client of the application, which gets the test session wherever it depends on get_db."""

    def override_get_db():
        yield test_db

    app.dependency_overrides[get_db] = override_get_db
    print("VERIFIED: Using the test session in place of get_db")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
    app.dependency_overrides.clear()
