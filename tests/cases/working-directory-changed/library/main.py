"""The shelf, and the command's version."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from fastapi import Depends, FastAPI

app = FastAPI()


def get_shelf() -> Iterator[sqlite3.Connection]:
    """A connection to the library's file, which lies where the service runs."""
    shelf = sqlite3.connect("library.db", check_same_thread=False)
    try:
        yield shelf
    finally:
        shelf.close()


@app.get("/books")
def books(shelf: sqlite3.Connection = Depends(get_shelf)) -> list[str]:
    """The titles on the shelf."""
    return [title for (title,) in shelf.execute("select title from books")]


def version() -> str:
    """The version, which is kept in a file."""
    return Path("library/VERSION").read_text().strip()
