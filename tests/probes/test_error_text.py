"""What is recorded of a test's error: its type, and no value of a statement."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.probes.seen import PYTEST, run

VALUE = "Plum Orchard 7"  # nothing shows that it is a secret
ERRORS = f"""\
    import sqlite3, sys, unittest
    import psycopg
    from sqlalchemy import create_engine, text

    def of_sqlalchemy():
        with create_engine("sqlite://").connect() as connection:
            connection.execute(text("create table t (x unique)"))
            for _ in range(2):
                connection.execute(text("insert into t values (:x)"), {{"x": {VALUE!r}}})

    def of_a_driver():
        detail = "DETAIL:  Key (x)=({VALUE}) already exists."
        raise psycopg.errors.UniqueViolation("duplicate key value violates unique constraint\\n" + detail)

    def of_a_value():
        raise psycopg.errors.InvalidTextRepresentation('invalid input syntax for type integer: "{VALUE}"')

    def wrapped():
        try:
            of_sqlalchemy()
        except Exception as error:
            raise RuntimeError(f"not kept: {{error}}")

    def chained():
        try:
            of_a_driver()
        except Exception as error:
            raise LookupError("not there") from error

    def noted():
        try:
            of_sqlalchemy()
        except Exception as error:
            if sys.version_info >= (3, 11):
                error.add_note("[parameters: {VALUE}]")
            raise

    def compared():
        assert [1, 2, 3] == [1]

    """
TESTS = ("of_sqlalchemy", "of_a_driver", "of_a_value", "wrapped", "chained", "noted", "compared")
BY_PYTEST = ERRORS + "".join(f"def test_{name}(): {name}()\n    " for name in TESTS)
BY_UNITTEST = f"{ERRORS}class Case(unittest.TestCase):\n" + "".join(
    f"        def test_{name}(self): {name}()\n" for name in TESTS
)


@pytest.mark.parametrize(
    ("text", "command"),
    [(BY_PYTEST, (*PYTEST, "-q", "-p", "no:kit-db-guard")), (BY_UNITTEST, ("-m", "unittest", "test_it"))],
    ids=["pytest", "unittest"],
)
def test_no_value_of_a_statement_is_recorded(tmp_path: Path, text: str, command: tuple[str, ...]) -> None:
    """Neither a parameter of SQLAlchemy's nor what a server says of a row is in the record; the types of errors are."""
    seen = run(tmp_path, {"test_it.py": text}, *command, expect=None)
    assert VALUE in seen.output + seen.errors
    assert VALUE not in seen.text()
    found = {event["test"].rpartition("test_")[2]: event["message"] for event in seen.of("outcome", when="call")}
    assert found["of_sqlalchemy"] == found["noted"] == "sqlalchemy.exc.IntegrityError: (sqlite3.IntegrityError)"
    assert found["of_a_driver"] == "psycopg.errors.UniqueViolation"
    assert found["of_a_value"] == "psycopg.errors.InvalidTextRepresentation"
    assert found["wrapped"].startswith("RuntimeError: not kept: (sqlite3.IntegrityError)")
    assert found["chained"] == "LookupError: not there"
    assert "assert" in found["compared"].lower()
