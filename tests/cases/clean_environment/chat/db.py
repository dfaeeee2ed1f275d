import os

from dotenv import load_dotenv
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

load_dotenv()

engine = create_engine(os.environ["DATABASE_URL"])
SessionLocal = sessionmaker(engine)


def create_tables():
    with engine.begin() as connection:
        connection.execute(text("create table if not exists messages (body text)"))
        connection.execute(text("create table if not exists log (entry text)"))
