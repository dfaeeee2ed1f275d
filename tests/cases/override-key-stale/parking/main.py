import sqlite3

from fastapi import Depends, FastAPI, HTTPException

from parking import garage

app = FastAPI()


@app.post("/cars/{plate}", status_code=201)
def enter(plate: str, cars: sqlite3.Connection = Depends(garage.get_garage)) -> None:
    (there,) = cars.execute("select count(*) from cars").fetchone()
    if there >= garage.LIMIT:
        raise HTTPException(409, "the garage is full")
    with cars:
        cars.execute("insert into cars values (?)", (plate,))
