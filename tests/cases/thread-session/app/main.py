import threading

from fastapi import Depends, FastAPI
from sqlalchemy import text

from app.db import SessionLocal, get_db

app = FastAPI()


def index(name: str):
    with SessionLocal() as db:  # <- culprit
        db.execute(text("insert into sites (name) values (:name)"), {"name": f"index of {name}"})
        db.commit()


@app.post("/sites/{name}", status_code=201)
def add(name: str, db=Depends(get_db)):
    db.execute(text("insert into sites (name) values (:name)"), {"name": name})
    db.commit()
    thread = threading.Thread(target=index, args=(name,), name="indexer")
    thread.start()
    thread.join()


@app.get("/sites")
def sites(db=Depends(get_db)):
    return list(db.scalars(text("select name from sites order by name")))
