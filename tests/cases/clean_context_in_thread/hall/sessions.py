import os
from contextvars import ContextVar

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

engine = create_engine(os.environ["HALL_DB"], connect_args={"check_same_thread": False})
current = ContextVar("current")


def session():
    try:
        return current.get()
    except LookupError:
        current.set(Session(engine))
        return current.get()
