"""Whole diagnoses of projects whose tests handle a variable badly: the line that does is named, and proved."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.answer.diagnosis import Cause, Status
from tests.projects import diagnosed, traced, write

SHOP = """
    import os, sqlite3

    def orders():
        return sqlite3.connect(os.environ.get("SHOP_DB", "prod.db")).execute("select 1").fetchall()
"""


def the_cause(project: Path, **environ: str) -> Cause:
    """Diagnose a project; return its only cause, which must be proved."""
    _, diagnosis = diagnosed(project, allow=["test.db"], **environ)
    assert diagnosis.status is Status.PROVED
    (cause,) = diagnosis.causes
    return cause


def test_a_test_that_takes_a_variable_away_for_good_is_the_cause(tmp_path: Path) -> None:
    """Later tests find the default instead: who took it away is named, not who asks."""
    project = write(
        tmp_path,
        {
            "shop.py": SHOP,
            "conftest.py": "import os\nos.environ['SHOP_DB'] = 'test.db'\n",
            "tests/test_a_default.py": """
                import os

                def test_the_default():
                    os.environ.pop("SHOP_DB", None)
                    assert os.environ.get("SHOP_DB") is None
            """,
            "tests/test_orders.py": """
                from shop import orders

                def test_no_orders():
                    assert orders()
            """,
        },
    )
    cause = the_cause(project)
    assert (cause.kind, cause.file, cause.line) == ("variable-removed", "tests/test_a_default.py", 5)
    assert "removed it in tests/test_a_default.py::test_the_default" in cause.what
    assert cause.changed == "without tests/test_a_default.py::test_the_default"
    assert "restore SHOP_DB" in cause.fix


def test_a_fixture_undone_in_the_middle_of_its_test_is_the_cause(tmp_path: Path) -> None:
    """monkeypatch.undo() takes back what the fixtures had set, too."""
    project = write(
        tmp_path,
        {
            "shop.py": SHOP,
            "test_orders.py": """
                import pytest
                from shop import orders

                @pytest.fixture(autouse=True)
                def test_database(monkeypatch):
                    monkeypatch.setenv("SHOP_DB", "test.db")

                def test_orders_at_midnight(monkeypatch):
                    assert orders()
                    monkeypatch.undo()
                    assert orders()
            """,
        },
    )
    cause = the_cause(project)
    assert (cause.kind, cause.file, cause.line) == ("variable-removed", "test_orders.py", 11)


def test_a_variable_that_is_set_to_what_it_was_is_the_cause(tmp_path: Path) -> None:
    """Without the statement it holds the same: what proves it is that another value there leads elsewhere."""
    project = write(
        tmp_path,
        {
            "shop.py": SHOP,
            "conftest.py": """
                import os
                os.environ["SHOP_DB"] = os.environ["SHOP_DB"].replace("/shop.db", "/test.db")
            """,
            "test_orders.py": """
                from shop import orders

                def test_no_orders():
                    assert orders()
            """,
        },
    )
    cause = the_cause(project, SHOP_DB=str(tmp_path / "live.db"))
    assert (cause.kind, cause.file, cause.line) == ("variable-set-wrong", "conftest.py", 3)


def test_a_name_with_the_wrong_delimiter_is_the_cause(tmp_path: Path) -> None:
    """A field of an inner model has a variable with the settings' own delimiter in its name."""
    project = write(
        tmp_path,
        {
            "shop.py": """
                import sqlite3
                from pydantic import BaseModel
                from pydantic_settings import BaseSettings, SettingsConfigDict

                class Database(BaseModel):
                    file: str = "prod.db"

                class Settings(BaseSettings):
                    model_config = SettingsConfigDict(env_prefix="SHOP_", env_nested_delimiter="__")
                    db: Database = Database()

                settings = Settings()

                def orders():
                    return sqlite3.connect(settings.db.file).execute("select 1").fetchall()
            """,
            "conftest.py": "import os\nos.environ['SHOP_DB_FILE'] = 'test.db'\n",
            "test_orders.py": """
                from shop import orders

                def test_no_orders():
                    assert orders()
            """,
        },
    )
    cause = the_cause(project)
    assert (cause.kind, cause.file, cause.line) == ("variable-not-asked-for", "conftest.py", 2)
    assert cause.fix.splitlines()[-1] == "+os.environ['SHOP_DB__FILE'] = 'test.db'"


@pytest.mark.parametrize("library", ["pydantic_settings", "pydantic.v1"])
def test_a_setting_that_is_replaced_too_late_is_the_cause(tmp_path: Path, library: str) -> None:
    """The engine has been made of what the settings held before a fixture put the test database there."""
    project = write(
        tmp_path,
        {
            "config.py": f"""
                from {library} import BaseSettings

                class Settings(BaseSettings):
                    database_url: str = "sqlite:///prod.db"

                settings = Settings()
            """,
            "shop.py": """
                from sqlalchemy import create_engine, text
                from config import settings

                engine = create_engine(settings.database_url)

                def orders():
                    with engine.connect() as connection:
                        return connection.scalar(text("select 1"))
            """,
            "conftest.py": """
                import pytest
                from config import settings
                from shop import orders

                @pytest.fixture(autouse=True)
                def test_database(monkeypatch):
                    monkeypatch.setattr(settings, "database_url", "sqlite:///test.db")
            """,
            "test_orders.py": """
                from shop import orders

                def test_no_orders():
                    assert orders()
            """,
        },
    )
    cause = the_cause(project)
    assert (cause.kind, cause.file, cause.line) == ("env-set-too-late", "conftest.py", 8)
    assert cause.what.startswith("The settings' copy of DATABASE_URL changed at conftest.py:8 AFTER engine")


def test_a_name_in_a_file_of_variables_that_nobody_asks_for_is_the_cause(tmp_path: Path) -> None:
    """The tests' own file is read, and gives the URL under another name than the settings have for it."""
    project = write(
        tmp_path,
        {
            ".env.test": "LOG_LEVEL=info\nDB_URL=test.db\n",
            "shop.py": """
                import sqlite3
                from pydantic_settings import BaseSettings, SettingsConfigDict

                class Settings(BaseSettings):
                    model_config = SettingsConfigDict(env_file=".env.test", extra="ignore")
                    database_url: str = "prod.db"

                settings = Settings()

                def orders():
                    return sqlite3.connect(settings.database_url).execute("select 1").fetchall()
            """,
            "test_orders.py": """
                from shop import orders

                def test_no_orders():
                    assert orders()
            """,
        },
    )
    cause = the_cause(project)
    assert (cause.kind, cause.file, cause.line) == ("variable-not-asked-for", ".env.test", 2)
    assert "Nothing reads DB_URL, which .env.test:2 gives as test.db." in cause.what
    assert cause.fix.startswith("At .env.test:2 set DATABASE_URL")


# What pytest-env does, in short; it is no dependency of the kit's.
PYTEST_ENV = """
    import os
    import pytest

    def pytest_addoption(parser):
        parser.addini("env", "variables", type="linelist", default=[])

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(early_config):
        for line in early_config.getini("env"):
            name, _, value = (part.strip() for part in line.removeprefix("D:").partition("="))
            if not line.startswith("D:") or name not in os.environ:
                os.environ[name] = value
"""


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("tox.ini", "[pytest]\naddopts = -p pytest_env.plugin\nenv =\n    D:SHOP_DB=sqlite:///prod.db\n", 4),
        ("setup.cfg", "[tool:pytest]\naddopts = -p pytest_env.plugin\nenv = SHOP_DB=sqlite:///prod.db\n", 3),
    ],
)
def test_what_the_configuration_of_pytest_sets_is_named_by_its_line(
    tmp_path: Path, file: str, text: str, line: int
) -> None:
    """A variable that a plugin takes out of pytest's configuration comes from that file, as changing it proves."""
    (tmp_path / file).write_text(text)
    project = write(
        tmp_path,
        {
            "site-packages/pytest_env/plugin.py": PYTEST_ENV,
            "shop.py": """
                import os
                from sqlalchemy import create_engine, text

                def orders():
                    with create_engine(os.environ["SHOP_DB"]).connect() as connection:
                        return connection.execute(text("select 1")).all()
            """,
            "test_orders.py": "from shop import orders\n\ndef test_no_orders(): assert orders()\n",
        },
    )
    found, diagnosis = diagnosed(project, allow=["test.db"], PYTHONPATH=str(project / "site-packages"))
    cause = next(cause for cause in diagnosis.causes if cause.kind == "settings-file")
    assert (cause.file, cause.line, cause.changed) == (file, line, f"with SHOP_DB in {file} naming another database")
    assert any(f"from {file}:{line} (pytest_env)" in finding.message for finding in found.findings)


def test_a_variable_that_was_inherited_is_told_with_the_file_that_holds_the_same(tmp_path: Path) -> None:
    """Where tox has set it, the environment holds it from the start, and its file can still be read."""
    (tmp_path / "tox.ini").write_text("[pytest]\n[testenv]\nsetenv =\n    SHOP_DB=prod.db\n")
    test = """
        import sqlite3
        from shop import orders

        def test_it():
            sqlite3.connect("test.db").execute("select 1")
            assert orders()
    """
    write(tmp_path, {"shop.py": SHOP, "test_orders.py": test})
    found = traced(tmp_path, allow=["test.db"], SHOP_DB="prod.db")
    (finding,) = found.findings
    assert "SHOP_DB, from the environment of the command (tox.ini:4 holds the same)" in finding.message
