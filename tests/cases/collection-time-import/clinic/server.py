from fastapi import Depends, FastAPI
from sqlalchemy import select

from clinic.models import Patient, Session

app = FastAPI()


def db():
    with Session() as session:
        yield session


@app.get("/patients")
def patients(session=Depends(db)):
    return session.scalars(select(Patient.name)).all()


def shorten(name):
    first, _, last = name.partition(" ")
    return f"{first[0]}. {last}"
