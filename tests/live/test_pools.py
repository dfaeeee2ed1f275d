"""Whole diagnoses of projects whose pool goes from one event loop to another, on a live server."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.answer.diagnosis import Status
from kit.pair import Pair
from tests.projects import diagnosed, write

STORE = """
    import os
    import asyncpg

    pool = None

    async def connected():
        global pool
        if pool is None:
            pool = await asyncpg.create_pool(os.environ["STORE_URL"], min_size={min_size}, max_size=2)
        return pool

    async def count():
        async with (await connected()).acquire() as connection:
            return await connection.fetchval("select 1")
"""
TESTS = """
    import asyncio
    import store

    def test_one(): assert asyncio.run(store.count()) == 1

    def test_two(): assert asyncio.run(store.count()) == 1
"""


@pytest.mark.parametrize("min_size", [0, 2])
def test_a_pool_of_asyncpgs_own_is_proved_to_outlive_its_loop(pair: Pair, tmp_path: Path, min_size: int) -> None:
    """The pool that a module keeps from one test's loop to the next is the cause: without pools the tests pass."""
    project = write(tmp_path, {"store.py": STORE.format(min_size=min_size), "tests/test_store.py": TESTS})
    allow = f"{pair.test.host}:{pair.test.port}/{pair.test.database}"
    found, diagnosis = diagnosed(project, allow=[allow], STORE_URL=pair.test.url())
    finding = next(finding for finding in found.findings if finding.kind == "event-loop-bound-pool")
    assert (finding.file, finding.line) == ("store.py", 10)
    assert diagnosis.status is Status.PROVED, diagnosis.runs
    cause = next(cause for cause in diagnosis.causes if cause.changed == "without connection pools")
    assert (cause.kind, cause.file, cause.line) == ("event-loop-bound-pool", "store.py", 10)
