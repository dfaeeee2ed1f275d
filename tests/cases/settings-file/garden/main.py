import os
import sqlite3

from dotenv import load_dotenv
from fastapi import Depends, FastAPI

load_dotenv(".env")  # <- culprit
app = FastAPI()


def get_log():
    log = sqlite3.connect(os.environ["GARDEN_DB"], check_same_thread=False)
    try:
        yield log
    finally:
        log.close()


@app.post("/moisture/{percent}", status_code=201)
def measured(percent: int, log: sqlite3.Connection = Depends(get_log)) -> None:
    with log:
        log.execute("insert into moisture values (?)", (percent,))
