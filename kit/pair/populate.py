"""A database of a side from nothing: the SQL files that embedded servers and containers share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.pair.model import SideName

if TYPE_CHECKING:
    import psycopg

SQL = Path(__file__).parent / "sql"
# In the order in which the containers run them too.
FILES: dict[SideName, tuple[str, ...]] = {
    "production": ("sites.sql", "seed.sql", "role.sql"),
    "test": ("sites.sql", "role.sql"),
}


def create_database(connection: psycopg.Connection[tuple[Any, ...]], name: str, template: str = "template0") -> None:
    """Create a database as a copy of `template`, in the way that is quickest for a small one."""
    from psycopg import sql

    # Copying files is quicker than logging every page; before 15 it was the only way and had no name.
    strategy = " strategy file_copy" if connection.info.server_version >= 150000 else ""
    statement = sql.SQL("create database {} template {}" + strategy)
    connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


def populate(connection: psycopg.Connection[tuple[Any, ...]], side: SideName, user: str, password: str) -> None:
    """Make the role `user` and the side's table with its rows in the connection's database.

    `password` is a password or a SCRAM verifier of one; it is not used when the role exists.
    """
    settings = "select set_config('kit.role', %s, false), set_config('kit.password', %s, false)"
    connection.execute(settings, (user, password))
    run_files(connection, FILES[side])


def run_files(connection: psycopg.Connection[tuple[Any, ...]], names: Iterable[str]) -> None:
    """Run SQL files of the kit in order."""
    for name in names:
        connection.execute((SQL / name).read_bytes())
