import sqlite3

from fastapi import APIRouter, Depends

router = APIRouter()


def get_fleet():
    fleet = sqlite3.connect("bikes.db", check_same_thread=False)
    try:
        yield fleet
    finally:
        fleet.close()


@router.put("/stations/{name}")
def add(name: str, fleet: sqlite3.Connection = Depends(get_fleet)) -> None:
    with fleet:
        fleet.execute("insert into stations values (?)", (name,))


@router.get("/stations")
def names(fleet: sqlite3.Connection = Depends(get_fleet)) -> list[str]:
    return [name for (name,) in fleet.execute("select name from stations order by name")]
