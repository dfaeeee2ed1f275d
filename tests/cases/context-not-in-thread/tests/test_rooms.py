import pytest
from hall.background import rooms
from hall.sessions import current, engine, session
from sqlalchemy import text
from sqlalchemy.orm import Session


@pytest.fixture(autouse=True)
def transaction():
    with engine.connect() as connection:
        outer = connection.begin()
        token = current.set(Session(connection))
        yield
        current.get().close()
        current.reset(token)
        outer.rollback()


def test_a_new_room_is_listed():
    session().execute(text("insert into rooms values ('blue')"))
    session().commit()
    assert rooms() == ["blue"]
