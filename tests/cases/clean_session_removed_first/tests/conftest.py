import pytest
from sqlalchemy import create_engine, text

from paint.db import Session

assert Session() is Session()


@pytest.fixture
def database():
    engine = create_engine("sqlite:///paint_test.db")
    with engine.begin() as connection:
        connection.execute(text("drop table if exists orders"))
        connection.execute(text("create table orders (colour text)"))
    Session.remove()
    Session.configure(bind=engine)
    yield
    Session.remove()
