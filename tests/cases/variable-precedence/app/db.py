import os

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

url = os.environ.get("INTEGRATION_DATABASE_URL") or os.environ["DATABASE_URL"]  # <- culprit
SessionLocal = sessionmaker(create_engine(url))


def get_db():
    with SessionLocal() as db:
        yield db
