from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker(create_engine("sqlite:///lab.db"))
app = FastAPI()


def get_db():
    with SessionLocal() as db:
        yield db


@app.post("/samples/{name}", status_code=201)
def take(name: str, db=Depends(get_db)) -> None:
    db.execute(text("insert into samples values (:name)"), {"name": name})
    db.commit()
