"""Whole diagnoses of projects that are run with an option: the line that gives it is named if it is the cause."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kit.answer.diagnosis import Diagnosis, Status
from tests.projects import diagnosed, write

SHOP = """
    import os, sqlite3

    def orders():
        return sqlite3.connect(os.environ.get("SHOP_DB", "prod.db")).execute("select * from orders").fetchall()
"""
CONFTEST = """
    import os

    def pytest_addoption(parser):
        parser.addini("shop_db", "the database", default="")
        parser.addoption("--shop-db", default="test.db")

    def pytest_configure(config):
        os.environ.setdefault("SHOP_DB", config.getini("shop_db") or config.getoption("--shop-db"))
"""
OWN, OTHER = "[pytest]\nshop_db = test.db\n", "[pytest]\naddopts = -q\nshop_db = prod.db\n"
PROJECT = {
    "shop.py": SHOP,
    "tests/conftest.py": CONFTEST,
    "tests/test_orders.py": "def test_no_orders():\n    from shop import orders\n    assert orders() == []\n",
}


def diagnosed_by_script(folder: Path, script: str, **files: str) -> Diagnosis:
    """The diagnosis of the project with a script t.sh, run by sh; of the files the last underscore is a dot."""
    named = {name[: name.rindex("_")] + "." + name[name.rindex("_") + 1 :]: text for name, text in files.items()}
    project = write(folder, {**PROJECT, "t.sh": script, **named})
    for name in ("prod.db", "test.db"):
        with closing(sqlite3.connect(project / name)) as database:
            database.execute("create table orders (id)")
    _, diagnosis = diagnosed(project, command=("sh", "t.sh"), allow=["test.db"])
    return diagnosis


@pytest.mark.parametrize(
    ("script", "files", "place", "said"),
    [
        ("set -e\npython -m pytest -c ci.ini tests\n", {"pytest_ini": OWN, "ci_ini": OTHER}, "ci.ini:3",
         "because t.sh:2 passes -c ci.ini, and ci.ini:3 sets shop_db, instead of pytest.ini:2."),
        ("export PYTEST_ADDOPTS='-q --config-file=ci.ini'\npython -m pytest\n",
         {"pytest_ini": OWN, "ci_ini": OTHER}, "ci.ini:3", "t.sh:1 passes --config-file ci.ini, and ci.ini:3 sets"),
        ("set -e\npython -m pytest -o shop_db=prod.db\n", {"pytest_ini": OWN}, "tests/conftest.py:9",
         "t.sh:2 passes -o shop_db, which tests/conftest.py:9 uses"),
        ("python -m pytest tests --shop-db prod.db\n", {}, "tests/conftest.py:9", "t.sh:1 passes --shop-db"),
        ("python -m pytest -p live tests\n", {"live_py": "import os\nos.environ['SHOP_DB'] = 'prod.db'\n"},
         "live.py:2", "t.sh:1 passes -p live, and live.py:2 sets SHOP_DB"),
        ("python -m pytest -c ci.ini tests\n",
         {"ci_ini": "[pytest]\nthreads = 2\n", "pytest_ini": "[pytest]\nshop_db = test.db\n",
          "tests/conftest_py": CONFTEST.replace('"--shop-db", default="test.db"', '"--shop-db", default="prod.db"')},
         "ci.ini:None", "t.sh:1 passes -c ci.ini, in place of the project's own file."),
    ],
    ids=["file", "variable", "value", "option", "plugin", "file-without-the-line"],
)  # fmt: skip
def test_the_option_and_its_line_are_the_cause(
    tmp_path: Path, script: str, files: dict[str, str], place: str, said: str
) -> None:
    """Without the option the tests reach their own database: the line that gives it is named, and what it leads to."""
    diagnosis = diagnosed_by_script(tmp_path, script, **files)
    assert diagnosis.status is Status.PROVED, diagnosis
    cause = diagnosis.causes[0]
    assert (cause.kind, f"{cause.file}:{cause.line}") == ("configuration-chosen", place)
    assert said in diagnosis.happened
    assert cause.to_change[0].startswith("Tried in run ")


def test_a_program_that_is_given_another_file_is_the_cause(tmp_path: Path) -> None:
    """What is true of pytest's -c is true of every program's, such as that of migrations before the tests."""
    program = """
        import configparser, sqlite3, sys

        given = dict(zip(sys.argv, sys.argv[1:]))
        config = configparser.ConfigParser()
        config.read(given.get("-c", "alembic.ini"))
        sqlite3.connect(config["alembic"]["database"]).execute("select * from orders").fetchall()
    """
    diagnosis = diagnosed_by_script(
        tmp_path, "set -e\npython migrate.py -c live.ini upgrade\npython -m pytest\n", migrate_py=program,
        alembic_ini="[alembic]\ndatabase = test.db\n", live_ini="[alembic]\ndatabase = prod.db\n",
    )  # fmt: skip
    assert diagnosis.status is Status.PROVED, diagnosis
    (cause,) = diagnosis.causes
    assert (cause.kind, cause.file, cause.line) == ("configuration-chosen", "live.ini", 2)
    assert "t.sh:2 passes -c live.ini, and live.ini:2 sets database, instead of alembic.ini:2." in diagnosis.happened


@pytest.mark.parametrize(
    ("script", "files", "kinds"),
    [
        ("python -m pytest -c ci.ini\n", {"pytest_ini": OTHER, "ci_ini": OTHER}, {"settings-file"}),
        ("export SHOP_DB=prod.db\npython -m pytest -c ci.ini\n", {"pytest_ini": OWN, "ci_ini": OWN},
         {"variable-precedence"}),
        ("export SHOP_DB=prod.db\npython -m pytest -c ci.ini\n",
         {"pytest_ini": "[pytest]\naddopts = -k nothing\n", "ci_ini": OWN}, {"variable-precedence"}),
    ],
    ids=["its-own-names-it-too", "another-cause", "its-own-selects-nothing"],
)  # fmt: skip
def test_an_option_that_changes_nothing_is_no_cause(
    tmp_path: Path, script: str, files: dict[str, str], kinds: set[str]
) -> None:
    """The project's own file leads there as well, or runs no test: another cause is proved, and not the option."""
    diagnosis = diagnosed_by_script(tmp_path, script, **files)
    assert {cause.kind for cause in diagnosis.causes} == kinds, diagnosis
