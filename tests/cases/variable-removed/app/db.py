import os

from sqlalchemy import create_engine
from sqlalchemy.orm import Session


def database_url():
    return os.environ.get("DATABASE_URL", "sqlite:///sites.db")


def get_db():
    with Session(create_engine(database_url())) as db:
        yield db
