from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine("sqlite:///sites.db", connect_args={"check_same_thread": False})
SessionLocal = sessionmaker(engine)


def get_db():
    with SessionLocal() as db:
        yield db
