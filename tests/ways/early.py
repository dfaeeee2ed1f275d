"""A plugin loaded before the guard (`-p`): takes names from the drivers, and opens a connection if OPENS says so."""

from __future__ import annotations

import asyncio
import functools
import os

import asyncpg
import psycopg
import psycopg2
from psycopg import connect as by_psycopg
from psycopg2 import connect as by_psycopg2

by_asyncpg = asyncpg.connect
by_partial = functools.partial(psycopg2.connect, os.environ["PRODUCTION"])


class Holder:
    by_class = staticmethod(psycopg2.connect)
    by_method = psycopg.Connection.connect


loop = asyncio.new_event_loop()
OPEN = {
    "psycopg": lambda: by_psycopg(os.environ["PRODUCTION"]),
    "psycopg2": lambda: by_psycopg2(os.environ["PRODUCTION"]),
    "asyncpg": lambda: loop.run_until_complete(by_asyncpg(os.environ["PRODUCTION"])),
}
opened = OPEN[os.environ["OPENS"]]() if os.environ.get("OPENS") else None
