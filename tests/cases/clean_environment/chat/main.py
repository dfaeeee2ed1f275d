import time
from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import text

from chat.db import SessionLocal, create_tables


@asynccontextmanager
async def lifespan(app):
    create_tables()
    yield


app = FastAPI(lifespan=lifespan)


def get_db():
    with SessionLocal() as db:
        yield db


def log(entry):
    with SessionLocal.begin() as db:
        db.execute(text("insert into log values (:entry)"), {"entry": entry})


@app.middleware("http")
async def timing(request, call_next):
    began = time.perf_counter()
    response = await call_next(request)
    response.headers["x-took"] = f"{time.perf_counter() - began:.6f}"
    return response


def current_user():
    return "nobody"


@app.post("/messages/{body}")
def say(body: str, tasks: BackgroundTasks, db=Depends(get_db), user=Depends(current_user)):
    db.execute(text("insert into messages values (:body)"), {"body": f"{user}: {body}"})
    db.commit()
    tasks.add_task(log, f"{user} said something")


@app.get("/log")
def entries(db=Depends(get_db)):
    return db.scalars(text("select entry from log")).all()
