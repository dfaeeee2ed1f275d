"""Patients come, and are moved to the archive when they go."""

from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.orm import Session

from surgery.db import get_db

app = FastAPI()
Database = Annotated[Session, Depends(get_db)]


@app.post("/patients/{name}", status_code=201)
def admit(name: str, db: Database) -> None:
    """Take a patient in."""
    db.execute(text("insert into patients values (:name)"), {"name": name})
    db.commit()


@app.delete("/patients/{name}", status_code=204)
def discharge(name: str, db: Database) -> None:
    """Move a patient to the archive."""
    db.execute(text("insert into archive.patients select name from main.patients where name = :name"), {"name": name})
    db.execute(text("delete from main.patients where name = :name"), {"name": name})
    db.commit()


@app.get("/patients")
def patients(db: Database) -> list[str]:
    """Today's patients."""
    return list(db.execute(text("select name from main.patients")).scalars())
