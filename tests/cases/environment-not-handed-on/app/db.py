import os

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine(os.environ.get("DATABASE_URL", "sqlite:///sites.db"))
SessionLocal = sessionmaker(engine)


def get_db():
    with SessionLocal() as db:
        yield db
