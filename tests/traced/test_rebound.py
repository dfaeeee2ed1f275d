"""What a test puts where the application looks for its database, and leaves there, is told with the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.analysis.model import Finding
from tests.projects import traced, write

SHOP = """
    from fastapi import FastAPI, Request
    from sqlalchemy import create_engine, text

    class Store:
        def __init__(self, url):
            self.engine = create_engine(url)

    app = FastAPI()
    app.state.db = Store("sqlite:///test.db").engine
    app.state.store = Store("sqlite:///test.db")

    def answer(engine):
        with engine.connect() as connection:
            return connection.execute(text("select count(*) from sqlite_master")).scalar()

    @app.get("/orders")
    def orders(request: Request): return answer(request.app.state.db)

    @app.get("/stock")
    def stock(request: Request): return answer(request.app.state.store.engine)
"""
TESTS = """
    import pytest
    from fastapi.testclient import TestClient
    from sqlalchemy import create_engine
    from shop import Store, app

    {fixture}

    def test_archive({asked}):
        {statement}
        TestClient(app).get("{path}")

    def test_today():
        TestClient(app).get("{path}")
"""


def found(folder: Path, statement: str, path: str = "/orders", fixture: str = "") -> list[Finding]:
    """What is found where the first test makes this statement, or asks for the fixture `archive`."""
    tests = TESTS.format(statement=statement, path=path, fixture=fixture, asked="archive" if fixture else "")
    project = write(folder, {"shop.py": SHOP, "tests/test_orders.py": tests})
    answer = traced(project, allow=["test.db"])
    return [one for one in answer.findings if one.kind == "global-engine-rebound-not-restored"]


@pytest.mark.parametrize(
    ("statement", "path", "name"),
    [
        ("app.state.db = create_engine('sqlite:///archive.db')", "/orders", "app.state.db"),
        ("app.state.store = Store('sqlite:///archive.db')", "/stock", "app.state.store.engine"),
    ],
)
def test_what_is_kept_on_the_state_of_an_application_is_told(
    tmp_path: Path, statement: str, path: str, name: str
) -> None:
    """An engine on `app.state`, or in an object there, is as global as a module's own."""
    (finding,) = found(tmp_path, statement, path)
    assert f"{name} was rebound by tests/test_orders.py::test_archive" in finding.message
    assert finding.message.endswith("first use after that: tests/test_orders.py::test_today.")
    assert (finding.file, finding.line) == ("tests/test_orders.py", 10)


FIXTURE = """
    @pytest.fixture{scope}
    def archive():
        before, app.state.db = app.state.db, create_engine("sqlite:///archive.db")
        yield
        {end}
"""


@pytest.mark.parametrize(
    ("scope", "end", "told"),
    [("", "pass", 1), ("", "app.state.db = before", 0), ("(scope='session')", "app.state.db = before", 0)],
)
def test_only_what_outlives_its_test_is_told(tmp_path: Path, scope: str, end: str, told: int) -> None:
    """A fixture that puts back what was there is in order, and so is one that is meant to last."""
    fixture = FIXTURE.format(scope=scope, end=end).strip()
    assert len(found(tmp_path, "...", fixture=fixture)) == told


def test_an_engine_that_was_there_before_is_not_placed_where_it_was_made(tmp_path: Path) -> None:
    """Where a test goes back to an engine of the application's start, that one's line is not the culprit's."""
    fixture = """
    import shop
    before, app.state.db = app.state.db, create_engine("sqlite:///test.db")
    shop.kept = create_engine("sqlite:///archive.db")

    @pytest.fixture
    def archive():
        yield
        app.state.db = shop.kept
    """
    (finding,) = found(tmp_path, "...", fixture=fixture.strip())
    assert "rebound by tests/test_orders.py::test_archive (in its teardown)" in finding.message
    assert (finding.file, finding.line) == ("tests/test_orders.py", None)
