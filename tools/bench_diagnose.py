"""The time of `kit diagnose` on large suites relative to the suite's own time, for tools/bench.py."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import dedent

from bench_figures import Figure, in_turn

TIMES = 3.0
SIZES = (100, 1000, 10_000)
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
DIAGNOSED = (sys.executable, "-m", "kit", "diagnose", "--allow", "*/test.db", "--", *PYTEST)
PROVED = 1

PROJECT = {
    "shop/__init__.py": "",
    "shop/database.py": """
        from sqlalchemy import create_engine
        from sqlalchemy.orm import sessionmaker

        engine = create_engine("sqlite:///live.db")
        Session = sessionmaker(engine)


        def get_db():
            with Session() as session:
                yield session
    """,
    "shop/main.py": """
        from fastapi import Depends, FastAPI
        from sqlalchemy import text

        from shop.database import Session, get_db

        app = FastAPI()


        @app.get("/goods")
        def goods(db=Depends(get_db)):
            return db.execute(text("select 1")).scalar()


        @app.get("/report")
        def report():
            with Session() as db:
                return db.execute(text("select 2")).scalar()
    """,
    "tests/__init__.py": "",
    "tests/books.py": """
        import sqlite3


        def books():
            return sqlite3.connect("live.db").execute("select 3").fetchone()[0]
    """,
    "tests/conftest.py": """
        import pytest
        from fastapi.testclient import TestClient
        from sqlalchemy import create_engine
        from sqlalchemy.orm import sessionmaker

        from shop.database import get_db
        from shop.main import app

        Tests = sessionmaker(create_engine("sqlite:///test.db"))


        def override():
            with Tests() as session:
                yield session


        @pytest.fixture
        def client():
            app.dependency_overrides[get_db] = override
            with TestClient(app) as client:
                yield client
            app.dependency_overrides.clear()


        @pytest.fixture
        def bare(client):
            app.dependency_overrides.clear()
            return client
    """,
}
CAUSES = (
    ("client", 'assert client.get("/report").status_code == 200'),  # a session without a dependency
    ("bare", 'assert client.get("/goods").status_code == 200'),  # an override that a fixture clears
    ("", "assert books() == 3"),  # opened by the tests themselves
)
"""What a test of each cause asks for, and does."""
SOUND = ("client", 'assert client.get("/goods").status_code == 200')


def figures(*, short: bool) -> Iterator[Figure]:
    """Yield the figures of diagnoses; `short` leaves out the suite of 10,000 tests."""
    for tests in SIZES[:-1] if short else SIZES:
        for causes in (1, 3):
            with tempfile.TemporaryDirectory(prefix="kit-bench-") as name:
                write(Path(name), tests, causes)
                value, against = in_turn(
                    lambda folder=name: seconds(folder, DIAGNOSED, PROVED),  # type: ignore[misc]
                    lambda folder=name: seconds(folder, PYTEST, 0),  # type: ignore[misc]
                    1 if tests > SIZES[0] else 3,
                )
            what = f"{tests:,} tests diagnosed, {'1 cause' if causes == 1 else f'{causes} causes'}"
            yield Figure(what, value * 1000, "the suite", against * 1000, TIMES * against * 1000, "ms", 1)


def write(folder: Path, tests: int, causes: int) -> None:
    """Write a project with this many tests; each cause affects one test in fifty."""
    body = ["from tests.books import books", ""]
    for number in range(tests):
        cause = number % 50 - 10
        asks, does = CAUSES[cause] if 0 <= cause < causes else SOUND
        if asks == "bare":
            body += ["", f"def test_{number}(bare):", f"    client = bare\n    {does}"]
        else:
            body += ["", f"def test_{number}({asks}):", f"    {does}"]
    for name, text in (*PROJECT.items(), ("tests/test_shop.py", "\n".join(body) + "\n")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))


def seconds(folder: str, command: Sequence[str], expected: int) -> float:
    """The seconds that a command takes in a project. SystemExit for an unexpected exit code."""
    began = time.perf_counter()
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if ended.returncode != expected:
        raise SystemExit(f"{' '.join(command)} went wrong:\n{ended.stdout}{ended.stderr}")
    return time.perf_counter() - began
