from sqlalchemy import create_engine, text

from ledger.config import CONFIG

engine = create_engine(CONFIG["database"])


def add(entry: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("insert into entries values (:entry)"), {"entry": entry})


def texts() -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("select text from entries order by rowid")).scalars())
