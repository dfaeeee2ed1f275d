from sqlalchemy import Engine, create_engine, text

from ledger.config import CONFIG

engines: dict[str, Engine] = {}


def engine() -> Engine:
    url = CONFIG["database"]
    if url not in engines:
        engines[url] = create_engine(url)
    return engines[url]


def add(entry: str) -> None:
    with engine().begin() as connection:
        connection.execute(text("insert into entries values (:entry)"), {"entry": entry})


def texts() -> list[str]:
    with engine().connect() as connection:
        return list(connection.execute(text("select text from entries order by rowid")).scalars())
