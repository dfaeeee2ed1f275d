import os

from fastapi import FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

engine = create_engine(os.environ["LIBRARY_URL"], connect_args={"options": "-c lock_timeout=1s"})
app = FastAPI()
session = Session(engine)


@app.get("/books")
def books() -> list[str]:
    return list(session.scalars(text("select title from books")))  # <- culprit
