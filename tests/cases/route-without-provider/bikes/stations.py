import sqlite3

from fastapi import Depends
from fastapi.routing import APIRoute


def get_fleet():
    fleet = sqlite3.connect("bikes.db", check_same_thread=False)
    try:
        yield fleet
    finally:
        fleet.close()


def add(name: str, fleet: sqlite3.Connection = Depends(get_fleet)) -> None:
    with fleet:
        fleet.execute("insert into stations values (?)", (name,))


def names(fleet: sqlite3.Connection = Depends(get_fleet)) -> list[str]:
    return [name for (name,) in fleet.execute("select name from stations order by name")]


routes = [
    APIRoute("/stations/{name}", add, methods=["PUT"]),
    APIRoute("/stations", names, methods=["GET"]),
]
