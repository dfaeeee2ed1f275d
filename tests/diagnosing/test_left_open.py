"""What leading an engine elsewhere does not show, real projects beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.analysis.case import of_leak
from kit.analysis.databases import Allowed
from kit.answer.diagnosis import Effect, Run, Status
from kit.answer.model import answer
from kit.detectors.files import service_file
from kit.detectors.planning.candidate import Candidate
from kit.diagnosing.judge import case_of_answer, symptoms_of
from kit.diagnosing.left_open import left_open
from kit.diagnosing.search import Found
from kit.evidence.model import Frame
from kit.probes.interventions.services import ServiceInstead
from tests.analysis.seen_runs import leak
from tests.projects import diagnosed, write

SHOP = {
    "shop.py": """
        import os, sqlite3
        from fastapi import Depends, FastAPI

        def get_db():
            connection = sqlite3.connect("shop.db")
            try:
                yield connection
            finally:
                connection.close()

        app = FastAPI()

        @app.get("/")
        def orders():
            return sqlite3.connect("shop.db").execute("select 1").fetchall()
    """,
    "test_shop.py": """
        from fastapi.testclient import TestClient
        from shop import app

        def test_orders():
            assert TestClient(app).get("/").status_code == 200
    """,
}
PATCHED = """
    from unittest.mock import patch
    from fastapi.testclient import TestClient
    from shop import app

    def test_orders():
        with patch("shop.get_db"):
            assert TestClient(app).get("/").status_code == 200
"""
BY_A_VARIABLE = """
        import os, sqlite3
        from fastapi import FastAPI

        FILE = "test.db" if os.environ.get("SHOP_ENV") == "testing" else "shop.db"
        app = FastAPI()

        @app.get("/")
        def orders():
            return sqlite3.connect(FILE).execute("select 1").fetchall()
"""


def test_a_file_that_the_program_names_is_proved(tmp_path: Path) -> None:
    """Where nothing could have led elsewhere, the line that opens the file is the whole cause."""
    _, diagnosis = diagnosed(write(tmp_path, SHOP), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    (cause,) = diagnosis.causes
    assert (cause.file, cause.line) == ("shop.py", 16)


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("test_shop.py", PATCHED, "test_shop.py:7 replaces something"),
        ("shop.py", BY_A_VARIABLE, "SHOP_ENV was not set when shop.py:5 read it"),
    ],
    ids=["a patch", "a variable"],
)
def test_what_may_have_been_meant_to_lead_elsewhere_leaves_it_open(
    file: str, text: str, says: str, tmp_path: Path
) -> None:
    """The line is named; that it leads there by itself is not called proved."""
    _, diagnosis = diagnosed(write(tmp_path, {**SHOP, file: text}), allow=["test.db"])
    assert diagnosis.status is Status.UNRESOLVED
    assert says in diagnosis.unproved[0]
    assert "shop.py:" in diagnosis.happened


def test_a_mock_in_a_dependency_s_place_is_used_and_proves_it(tmp_path: Path) -> None:
    """The mock connects to nothing; that the test passes with it is the proof, at the line that sets it."""
    asked = SHOP["shop.py"].replace("def orders():", "def orders(db=Depends(get_db)):").replace(
        'return sqlite3.connect("shop.db").execute("select 1").fetchall()', "return str(db.execute('select 1'))[:0]"
    )
    _, diagnosis = diagnosed(write(tmp_path, {"shop.py": asked, "test_shop.py": PATCHED}), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    (cause,) = diagnosis.causes
    assert (cause.kind, cause.file, cause.line) == ("dependency-replaced-by-name", "test_shop.py", 7)


def test_a_mock_with_which_the_test_fails_proves_nothing(tmp_path: Path) -> None:
    """What the test finds wrong with the mock's answer tells that it went another way than before."""
    asked = SHOP["shop.py"].replace("def orders():", "def orders(db=Depends(get_db)):").replace(
        'return sqlite3.connect("shop.db").execute("select 1").fetchall()', "return {sqlite3.Connection: 1}[type(db)]"
    )
    _, diagnosis = diagnosed(write(tmp_path, {"shop.py": asked, "test_shop.py": PATCHED}), allow=["test.db"])
    assert diagnosis.status is Status.UNRESOLVED
    assert diagnosis.causes == ()


def test_an_override_that_a_forked_server_does_not_have_is_the_cause_and_no_engine_is(tmp_path: Path) -> None:
    """The server was forked just before the fixture sets the override, so that redirecting its engine is no proof."""
    files = {
        "shop.py": SHOP["shop.py"].replace("def orders():", "def orders(db=Depends(get_db)):").replace(
            'return sqlite3.connect("shop.db")', "return db"
        ),
        "test_shop.py": """
            import multiprocessing, sqlite3
            import pytest
            from fastapi.testclient import TestClient
            from shop import app, get_db

            def serve(pipe):
                while pipe.recv():
                    pipe.send(TestClient(app, raise_server_exceptions=False).get("/").status_code)

            @pytest.fixture(scope="session")
            def server():
                here, there = multiprocessing.get_context("fork").Pipe()
                process = multiprocessing.get_context("fork").Process(target=serve, args=(there,))
                process.start()
                yield here
                here.send(False)
                process.join()

            @pytest.fixture(autouse=True)
            def in_test_database(server):
                app.dependency_overrides[get_db] = lambda: sqlite3.connect("test.db")
                yield
                app.dependency_overrides.clear()

            def test_orders(server):
                server.send(True)
                assert server.recv() == 200
                assert sqlite3.connect("test.db").execute("select 1").fetchall()
        """,
    }  # fmt: skip
    _, diagnosis = diagnosed(write(tmp_path, files), allow=["test.db"])
    assert diagnosis.status is Status.PROVED
    (cause,) = diagnosis.causes
    assert (cause.kind, cause.file, cause.line) == ("override-not-in-process", "test_shop.py", 15)


@pytest.mark.parametrize("nowhere", [True, False])
def test_a_service_that_leads_to_no_server_proves_nothing(nowhere: bool) -> None:
    """Any connection fails there. Where a database answered in place of the wrong one, the service is the cause."""
    first = answer(leak(), Allowed(("test.db",), "/project"), "/project")
    (symptom,) = symptoms_of(first)
    case = case_of_answer(first)
    about = service_file.About("shop", "PGSERVICEFILE", "")
    finding = of_leak(case, symptom.leaks[0], service_file.NAME, "it names it", Frame("pg.conf", 1, "<module>"), about)
    led = ServiceInstead("pg.conf", "shop", (("dbname", "another"),))
    found = Found((Candidate(finding, led.label, (led,), "name another"),), (), True, Effect.STAYS, ())
    doubts = left_open(symptom, found, lambda _: None, [Run((led.label,), Effect.GONE, "", 1.0, nowhere=nowhere)])
    assert ["does not exist" in doubt for doubt in doubts] == [True] * nowhere
