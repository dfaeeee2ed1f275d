import os

from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker

app = FastAPI()
SessionLocal = sessionmaker(create_engine(os.environ["CLINIC_DATABASE_URL"]))


def get_db():
    with SessionLocal() as db:
        yield db


@app.post("/appointments/{day}", status_code=201)
def book(day: str, db: Session = Depends(get_db)) -> None:
    db.execute(text("insert into appointments values (:day)"), {"day": day})
    db.commit()
