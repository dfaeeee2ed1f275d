from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker

from app import settings

app = FastAPI()
SessionLocal = sessionmaker(create_engine(settings.url()))


def get_db():
    with SessionLocal() as db:
        yield db


@app.post("/trees/{kind}", status_code=201)
def plant(kind: str, db: Session = Depends(get_db)) -> None:
    db.execute(text("insert into trees values (:kind)"), {"kind": kind})
    db.commit()
