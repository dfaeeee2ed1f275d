import os

from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

engine = create_engine(os.environ["LIBRARY_URL"], connect_args={"options": "-c lock_timeout=1s"})
app = FastAPI()


def get_session():
    with Session(engine) as session:
        yield session


@app.get("/books")
def books(session=Depends(get_session)) -> list[str]:
    return list(session.scalars(text("select title from books")))
