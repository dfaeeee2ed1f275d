import os
import uuid

import asyncpg
import httpx
import psycopg
import pytest

from stock import app, connect

SERVER = os.environ["TEST_SERVER_URL"]  # of somebody who may create databases
RUN = uuid.uuid4().hex[:8]


def database(name):
    return f"{SERVER.rsplit('/', 1)[0]}/{name}"


@pytest.fixture(scope="session")
def template():
    name = f"stock_test_{RUN}_template"
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f"create database {name}")
        with psycopg.connect(database(name)) as connection:
            connection.execute("create table items (name text primary key)")
            connection.execute("insert into items values ('bolt')")
        yield name
        server.execute(f"drop database {name}")


@pytest.fixture
async def client(template):
    name = f"stock_test_{RUN}_{uuid.uuid4().hex[:6]}"
    server = await asyncpg.connect(SERVER)
    await server.execute(f"create database {name} template {template}")
    await connect(database(name))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://stock") as client:
        yield client
    await app.state.pool.close()
    await server.execute(f"drop database {name}")
    await server.close()
