import os

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker


def factory():
    url = os.environ.get("SITES_URL") or os.environ["DATABASE_URL"]
    return sessionmaker(create_engine(url, connect_args={"check_same_thread": False}))
