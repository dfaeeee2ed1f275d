import multiprocessing
import urllib.request

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from shop.main import app, get_db
from shop.server import serve


@pytest.fixture(scope="session")
def engine():
    engine = create_engine("sqlite:///shop-test.db")
    with engine.begin() as connection:
        connection.execute(text("create table if not exists orders (name text)"))
    return engine


@pytest.fixture(scope="session", autouse=True)
def database(engine):
    def get_test_db():
        with Session(engine) as db:
            yield db

    app.dependency_overrides[get_db] = get_test_db


@pytest.fixture
def client():
    return TestClient(app)


@pytest.fixture(scope="session")
def get(database):
    context = multiprocessing.get_context("fork")
    listening, port = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(port,), daemon=True)
    process.start()
    address = f"http://127.0.0.1:{listening.recv()}"
    yield lambda path: urllib.request.urlopen(address + path).read()
    process.terminate()
    process.join()
