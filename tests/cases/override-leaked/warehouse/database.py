import os

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

engine = create_engine(os.environ["WAREHOUSE_DB"])


def warehouse_session():
    with Session(engine) as session:
        yield session
