import os
import sqlite3

from fastapi import Depends, FastAPI

app = FastAPI()


def get_stock():
    stock = sqlite3.connect(os.environ["DEPOT_DB"], check_same_thread=False)
    try:
        yield stock
    finally:
        stock.close()


@app.get("/stock")
def count(stock=Depends(get_stock)) -> int:
    return stock.execute("select count(*) from pallets").fetchone()[0]
