from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker(create_engine("sqlite:///shop.db"))
app = FastAPI()


def get_db():
    with SessionLocal() as db:
        yield db


@app.get("/orders")
def orders(db=Depends(get_db)) -> list[str]:
    return list(db.scalars(text("select name from orders order by name")))
