from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.orm import Session

from wines.store import Wine, get_db

app = FastAPI()


@app.post("/wines/{name}", status_code=201)
def add(name: str, db: Session = Depends(get_db)) -> None:
    db.add(Wine(name=name))
    db.commit()


@app.get("/wines")
def names(db: Session = Depends(get_db)) -> list[str]:
    return list(db.scalars(select(Wine.name).order_by(Wine.name)))
