import os
import sqlite3

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker


def connect():
    return sqlite3.connect("sites.db", check_same_thread=False)  # <- culprit


engine = create_engine(os.environ["DATABASE_URL"], creator=connect)
SessionLocal = sessionmaker(engine)


def get_db():
    with SessionLocal() as db:
        yield db
