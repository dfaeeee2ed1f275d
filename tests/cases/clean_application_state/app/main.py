import threading

from fastapi import Depends, FastAPI, Request
from sqlalchemy import text

from app.db import factory

app = FastAPI()


def get_db(request: Request):
    with request.app.state.sessions() as db:
        yield db


def index(sessions, name):
    with sessions() as db:
        db.execute(text("insert into sites (name) values (:name)"), {"name": f"index of {name}"})
        db.commit()


@app.middleware("http")
async def count_visits(request, call_next):
    with request.app.state.sessions() as db:
        db.execute(text("insert into sites (name) values (:path)"), {"path": request.url.path})
        db.commit()
    return await call_next(request)


@app.post("/sites/{name}", status_code=201)
def add(name: str, request: Request, db=Depends(get_db)):
    db.execute(text("insert into sites (name) values (:name)"), {"name": name})
    db.commit()
    thread = threading.Thread(target=index, args=(request.app.state.sessions, name))
    thread.start()
    thread.join()


@app.get("/sites")
def sites(db=Depends(get_db)):
    return list(db.scalars(text("select name from sites order by name")))


def start():
    app.state.sessions = factory()
