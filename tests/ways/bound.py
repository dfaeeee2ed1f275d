"""Connections through names that a plugin took from the drivers before the guard was loaded. Each must be stopped."""

from __future__ import annotations

import contextlib

import early
from conftest import PRODUCTION


def test_psycopg(statement):
    with contextlib.suppress(Exception):
        early.by_psycopg(PRODUCTION).execute(statement)


def test_psycopg2(statement):
    with contextlib.suppress(Exception):
        early.by_psycopg2(PRODUCTION).cursor().execute(statement)


def test_asyncpg(statement):
    with contextlib.suppress(Exception):
        connection = early.loop.run_until_complete(early.by_asyncpg(PRODUCTION))
        early.loop.run_until_complete(connection.execute(statement))


def test_partial(statement):
    with contextlib.suppress(Exception):
        early.by_partial().cursor().execute(statement)


def test_class(statement):
    with contextlib.suppress(Exception):
        early.Holder.by_class(PRODUCTION).cursor().execute(statement)


def test_method(statement):
    with contextlib.suppress(Exception):
        early.Holder.by_method(PRODUCTION).execute(statement)
