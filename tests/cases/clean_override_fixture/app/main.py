from fastapi import Depends, FastAPI
from sqlalchemy import text

from app.db import get_db

app = FastAPI()


@app.post("/sites/{name}", status_code=201)
def add(name: str, db=Depends(get_db)):
    db.execute(text("insert into sites (name) values (:name)"), {"name": name})
    db.commit()


@app.get("/sites")
def sites(db=Depends(get_db)):
    return list(db.scalars(text("select name from sites order by name")))
