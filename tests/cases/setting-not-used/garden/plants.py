from sqlalchemy import create_engine, text

DATABASE_URL = "sqlite:///garden.db"
TEST_DATABASE_URL = None
engine = create_engine(DATABASE_URL)


def names() -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("select name from plants order by rowid")).scalars())
