"""Is the deployed database fit for this version of the application? Reads it, and writes nothing."""

import os

import pytest
import pytest_asyncio
from sqlalchemy import func, inspect, select
from sqlalchemy.ext.asyncio import create_async_engine

from app.models import Site

DEPLOYED_DATABASE_URL = os.environ.get("INTEGRATION_DATABASE_URL")

pytestmark = pytest.mark.skipif(DEPLOYED_DATABASE_URL is None, reason="no deployed database is named")


@pytest_asyncio.fixture
async def deployed():
    engine = create_async_engine(DEPLOYED_DATABASE_URL)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


async def test_every_column_of_the_model_is_deployed(deployed):
    columns = await deployed.run_sync(lambda connection: inspect(connection).get_columns("sites"))

    assert {column["name"] for column in columns} >= {column.name for column in Site.__table__.columns}


async def test_no_deployed_site_is_without_a_url(deployed):
    assert await deployed.scalar(select(func.count()).where(Site.url == "")) == 0
