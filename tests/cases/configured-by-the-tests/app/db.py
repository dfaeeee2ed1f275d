from sqlalchemy import create_engine
from sqlalchemy.orm import Session

engine = None


def init(url: str = "sqlite:///sites.db"):
    global engine
    engine = create_engine(url, connect_args={"check_same_thread": False})


def get_db():
    with Session(engine) as db:
        yield db
