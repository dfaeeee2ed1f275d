from sqlalchemy import create_engine
from sqlalchemy.orm import Session


class Database:
    def __init__(self, url: str):
        self.engine = create_engine(url, connect_args={"check_same_thread": False})

    def session(self):
        with Session(self.engine) as db:
            yield db


database = Database("sqlite:///sites.db")
