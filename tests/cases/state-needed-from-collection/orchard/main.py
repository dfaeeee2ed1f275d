from fastapi import FastAPI
from sqlalchemy import text

from orchard.store import engine

app = FastAPI()


@app.get("/trees")
def count() -> int:
    with engine.connect() as connection:
        return connection.execute(text("select count(*) from trees")).scalar_one()
