from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.orm import Session

from notes.db import Note, get_db

app = FastAPI()


@app.get("/notes")
def notes(db: Session = Depends(get_db)):
    return list(db.scalars(select(Note.text)))
