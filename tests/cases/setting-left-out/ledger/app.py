from fastapi import FastAPI
from sqlalchemy import create_engine, text

from ledger.config import Config


def create_app(databases=None):
    given = {**Config.DATABASES, **(databases or {})}
    engines = {name: create_engine(url) for name, url in given.items()}
    app = FastAPI()

    @app.post("/entries/{what}")
    def add(what: str):
        for engine, table in ((engines["main"], "entries"), (engines["audit"], "lines")):
            with engine.begin() as connection:
                connection.execute(text(f"create table if not exists {table} (text text)"))
                connection.execute(text(f"insert into {table} values (:what)"), {"what": what})

    @app.get("/entries")
    def entries():
        with engines["main"].connect() as connection:
            return list(connection.scalars(text("select text from entries")))

    return app
