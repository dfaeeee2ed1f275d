import sqlite3

from fastapi import Depends, FastAPI

from ports.config import DATABASE

api = FastAPI()


def connection():
    opened = sqlite3.connect(DATABASE, check_same_thread=False)
    try:
        yield opened
    finally:
        opened.close()


@api.get("/ports")
def ports(db: sqlite3.Connection = Depends(connection)):
    return [name for (name,) in db.execute("select name from ports")]


public = FastAPI()
public.mount("/api", api)
