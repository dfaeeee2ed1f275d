"""Fill an empty database of a side, with the SQL files that embedded servers and containers share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.pair.model import SideName

if TYPE_CHECKING:
    import psycopg

SQL = Path(__file__).parent / "sql"
# The containers run them in the same order.
FILES: dict[SideName, tuple[str, ...]] = {
    "production": ("sites.sql", "seed.sql", "role.sql"),
    "test": ("sites.sql", "role.sql"),
}


def create_database(connection: psycopg.Connection[tuple[Any, ...]], name: str, template: str = "template0") -> None:
    """Create a database as a copy of `template`, with the fastest strategy for a small one."""
    from psycopg import sql

    # Copying files is faster than logging every page; before 15 it was the only strategy and had no name.
    strategy = " strategy file_copy" if connection.info.server_version >= 150000 else ""
    statement = sql.SQL("create database {} template {}" + strategy)
    connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


def populate(connection: psycopg.Connection[tuple[Any, ...]], side: SideName, user: str, password: str) -> None:
    """Create the role `user` and the side's table with its rows in the connection's database.

    `password` is a password or its SCRAM verifier; it is not used when the role exists.
    """
    settings = "select set_config('kit.role', %s, false), set_config('kit.password', %s, false)"
    connection.execute(settings, (user, password))
    run_files(connection, FILES[side])


def run_files(connection: psycopg.Connection[tuple[Any, ...]], names: Iterable[str]) -> None:
    """Run SQL files of the kit in order."""
    for name in names:
        connection.execute((SQL / name).read_bytes())
