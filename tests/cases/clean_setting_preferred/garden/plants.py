from functools import lru_cache

from sqlalchemy import Engine, create_engine, text

DATABASE_URL = "sqlite:///garden.db"
TEST_DATABASE_URL = None


@lru_cache
def engine_of(url: str) -> Engine:
    return create_engine(url)


def names() -> list[str]:
    with engine_of(TEST_DATABASE_URL or DATABASE_URL).connect() as connection:
        return list(connection.execute(text("select name from plants order by rowid")).scalars())
