from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, text

engine = create_engine("sqlite:///ledger.sqlite3")
app = FastAPI()


def get_connection():
    with engine.connect() as connection:
        yield connection


@app.get("/entries")
def entries(connection=Depends(get_connection)):
    return connection.execute(text("select count(*) from entries")).scalar()  # <- culprit
