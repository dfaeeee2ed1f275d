from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from config import settings

app = FastAPI()


def get_db():
    with Session(create_engine(settings.url)) as db:
        yield db


@app.get("/items")
def items(db=Depends(get_db)) -> list[str]:
    return list(db.scalars(text("select name from items")))
