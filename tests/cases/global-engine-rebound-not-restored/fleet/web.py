from fastapi import FastAPI
from sqlalchemy import text

from fleet import db

app = FastAPI()


@app.get("/cars")
def cars():
    with db.engine.connect() as connection:
        return list(connection.scalars(text("select plate from cars")))
