import httpx
import pytest

from weather.api import app


async def stations():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://weather") as client:
        return (await client.get("/now")).json()["stations"]


@pytest.mark.asyncio
async def test_some_stations_report():
    assert await stations() > 0


@pytest.mark.asyncio
async def test_they_report_again():
    assert await stations() > 0
