from __future__ import annotations

from pathlib import Path

import pytest

from kit.probes.environ import names_a_database, shown
from kit.probes.places import place
from tests.probes.seen import PYTEST, Seen, run

PROGRAM = {
    "settings.py": """\
        import os

        def read():
            return os.environ["DATABASE_URL"]
        """,
    "it.py": """\
        import os
        import settings

        settings.read()
        for _ in range(3):
            os.environ.get("DATABASE_URL")
        os.environ["DATABASE_URL"] = "sqlite:///test.db"
        os.environ["DATABASE_URL"] = "sqlite:///test.db"
        settings.read()
        os.environ.update(OTHER="postgresql://me:s3cret@host/db", UNRELATED="1")
        os.environ.setdefault("DATABASE_URL", "nothing")
        os.environ.get("INTEGRATION_DATABASE_URL")
        os.environ["PGPASSWORD"] = os.environ["DB_PASSWORD"] = "s3cret"
        del os.environ["DATABASE_URL"]
        try:
            settings.read()
        except KeyError as error:
            print(repr(error))
        print(dict(os.environ)["OTHER"], "UNRELATED" in os.environ)
        """,
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    environ = {"DATABASE_URL": "postgresql://me:s3cret@localhost/prod", "KIT_DATABASE_URL": "sqlite:///own.db"}
    return run(tmp_path_factory.mktemp("environ"), PROGRAM, "it.py", environ=environ)


def test_what_was_inherited_is_told(seen: Seen) -> None:
    """A variable that was there from the start is told of, also where its name begins like the kit's own."""
    assert {event["name"]: event["value"] for event in seen.of("environment", op="inherited")} == {
        "DATABASE_URL": "postgresql://me:***@localhost/prod", "KIT_DATABASE_URL": "sqlite:///own.db",
    }  # fmt: skip


def test_a_reading_names_its_place_once(seen: Seen) -> None:
    """Each reading is told once for each place and value, with the application's line."""
    readings = [
        (seen.places(event)[0].partition(" ")[0], event["value"])
        for event in seen.of("environment", op="read", name="DATABASE_URL")
    ]
    assert readings == [
        ("settings.py:4", "postgresql://me:***@localhost/prod"), ("it.py:6", "postgresql://me:***@localhost/prod"),
        ("settings.py:4", "sqlite:///test.db"), ("it.py:11", "sqlite:///test.db"),
    ]  # fmt: skip


def test_a_writing_says_whether_it_changed_anything(seen: Seen) -> None:
    """Each writing is told, with what it wrote and whether that was there before."""
    written = [(event["value"], event["same"]) for event in seen.of("environment", op="set", name="DATABASE_URL")]
    assert written == [("sqlite:///test.db", False), ("sqlite:///test.db", True)]
    assert seen.one("environment", op="set", name="OTHER")["value"] == "postgresql://me:***@host/db"
    assert seen.places(seen.one("environment", op="removed"))[0].startswith("it.py:14 ")


def test_a_missing_variable_that_was_asked_for_is_told(seen: Seen) -> None:
    """A variable that could have led to a database, and is not there, is told with the line that asked."""
    missing = {event["name"]: seen.places(event)[0] for event in seen.of("environment", op="missing")}
    assert missing["INTEGRATION_DATABASE_URL"].startswith("it.py:12 ")
    assert missing["DATABASE_URL"].startswith("settings.py:4 ")


def test_variables_without_a_database_are_left(seen: Seen) -> None:
    """Of other variables nothing is told."""
    assert "UNRELATED" not in seen.text()


def test_secrets_are_hidden(seen: Seen) -> None:
    """No password is written down, neither a URL's nor one that is a variable by itself."""
    assert "s3cret" not in seen.text()
    assert {event["value"] for event in seen.of("environment", op="set", name="DB_PASSWORD")} == {"***"}


def test_the_program_sees_what_it_would_see(seen: Seen) -> None:
    """Values, errors and contents are those of an environment that nobody watches."""
    assert seen.output == "KeyError('DATABASE_URL')\npostgresql://me:s3cret@host/db True\n"


def test_who_wrote_is_told(tmp_path: Path) -> None:
    """The module that wrote a variable is named: the application's, python-dotenv's or pytest's own."""
    seen = run(
        tmp_path,
        {
            ".env": "DATABASE_URL=sqlite:///prod.db\n",
            "conftest.py": """\
                import os
                import dotenv
                os.environ["DATABASE_URL"] = "sqlite:///test.db"
                dotenv.load_dotenv(override=True)
                """,
            "test_it.py": """\
                def test_it(monkeypatch):
                    monkeypatch.setenv("DATABASE_URL", "sqlite:///mine.db")
                """,
        },
        *PYTEST,
    )
    written = {event["value"]: event["written_by"] for event in seen.of("environment", op="set", phase="configure")}
    assert written == {"sqlite:///test.db": "conftest", "sqlite:///prod.db": "dotenv.main"}
    mine = seen.one("environment", op="set", value="sqlite:///mine.db")
    assert (mine["written_by"], mine["test"], mine["phase"]) == ("_pytest.monkeypatch", "test_it.py::test_it", "call")
    assert seen.places(mine)[0].startswith("test_it.py:2 ")
    back = seen.of("environment", op="set", test="test_it.py::test_it")[-1]
    assert (back["value"], back["phase"]) == ("sqlite:///prod.db", "teardown")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DATABASE_URL", None, True), ("APP_DB_HOST", None, True), ("db", None, True), ("PGHOST", None, True),
        ("SQLALCHEMY_URI", None, True), ("URL", "postgresql+asyncpg://h/d", True), ("URL", "sqlite:///x", True),
        ("URL", "https://h/d", False), ("FEEDBACK", "x", False), ("ISOLATION_PROBES_DIR", "x", False),
        ("KIT_TEST_URL", "postgresql://h/d", False), ("KIT_DATABASE", "x", True), ("LOADBALANCER", None, False),
        ("STORE", "/var/prod.db", True), ("STORE", "prod.sqlite3", True), ("STORE", "made.dbx", False),
    ],
)  # fmt: skip
def test_which_variables_lead_to_a_database(name: str, value: str | None, expected: bool) -> None:
    """A variable leads to a database by its name or by a URL in it; the probes' own do not count."""
    assert names_a_database(name, value) is expected


def test_a_secret_that_is_a_url_is_shown_without_its_password() -> None:
    """A URL under a name like a secret's is shown redacted: its place is not the secret."""
    assert shown("DATABASE_KEY", "postgresql://me:x@h/d") == "postgresql://me:***@h/d"
    assert shown("DATABASE_KEY", "x") == "***"
    assert shown("DATABASE_KEY", None) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql+asyncpg://u:p@h:5432/db?ssl=1", ("u", "h", "5432", "db")),
        ("postgres://u:p@ss@h/db", ("u", "h", "", "db")),
        ("postgresql:///db", ("", "", "", "db")),
        ("mysql://h/db", ("", "h", "", "db")),
        ("postgresql://u@[::1]:1/db", ("u", "[::1]", "1", "db")),
        ("sqlite:///./x.db", ("", "", "", "/./x.db")),
        ("sqlite+aiosqlite:////a/b.db?cache=shared", ("", "", "", "//a/b.db")),
        ("sqlite://", ("", "", "", "")),
        ("hello", None),
    ],
)
def test_a_place_is_the_same_however_it_is_written(url: str, expected: tuple[str, ...] | None) -> None:
    """A URL's place is its user, server and database, whatever scheme, password and query go with it."""
    assert place(url) == expected


def test_a_class_of_settings_asks_by_name(tmp_path: Path) -> None:
    """pydantic-settings copies all variables; what its fields ask for, by prefix or alias, is told one by one."""
    seen = run(
        tmp_path,
        {
            "it.py": """\
                from pydantic import Field
                from pydantic_settings import BaseSettings, SettingsConfigDict

                class Settings(BaseSettings):
                    model_config = SettingsConfigDict(env_prefix="SHOP_", env_file=".env")
                    database_url: str = "sqlite:///prod.db"
                    replica: str = Field("sqlite:///replica.db", validation_alias="READ_FROM")
                    page: int = 10
                    dsn: str = ""

                Settings()
                """,
            ".env": "SHOP_DATABASE_URL=sqlite:///prod.db\n",
        },
        "it.py", environ={"DATABASE_URL": "sqlite:///test.db", "SHOP_DSN": "sqlite:///test.db"},
    )  # fmt: skip
    missing = [(event["name"], *seen.places(event)) for event in seen.of("environment", op="missing")]
    assert missing == [("SHOP_DATABASE_URL", "it.py:11 <module>"), ("READ_FROM", "it.py:11 <module>")]
    read = {event["name"] for event in seen.of("environment", op="read", whole=False)}
    assert read == {"SHOP_DSN"}
    assert {event["name"] for event in seen.of("environment", op="read", whole=True)} == {"DATABASE_URL", "SHOP_DSN"}


def test_a_class_of_settings_of_pydantic_1_asks_by_name(tmp_path: Path) -> None:
    """So do the classes of pydantic 1, which pydantic 2 holds as well; a text that is assigned is told, too."""
    program = """\
        from pydantic.v1 import BaseSettings, Field

        class Settings(BaseSettings):
            class Config:
                env_prefix = "SHOP_"

            database_url: str = "sqlite:///prod.db"
            replica: str = Field("sqlite:///replica.db", env="READ_FROM")
            page: int = 10
            dsn: str = ""

        settings = Settings()
        settings.dsn = "sqlite:///late.db"
        settings.page = 20
        """
    seen = run(tmp_path, {"it.py": program}, "it.py", environ={"SHOP_DSN": "sqlite:///test.db"})
    missing = [(event["name"], *seen.places(event)) for event in seen.of("environment", op="missing")]
    assert missing == [("SHOP_DATABASE_URL", "it.py:12 <module>"), ("READ_FROM", "it.py:12 <module>")]
    assert [event["name"] for event in seen.of("environment", op="read", whole=False)] == ["SHOP_DSN"]
    event = seen.one("environment", op="assigned")
    assert (event["name"], event["value"]) == ("SHOP_DSN", "sqlite:///late.db")
    assert seen.one("end")["failures"] == {}


def test_a_class_of_settings_asks_for_the_fields_of_its_inner_models(tmp_path: Path) -> None:
    """With a delimiter each field of an inner model has a variable of its own, at any depth."""
    program = """\
        from pydantic import BaseModel
        from pydantic_settings import BaseSettings, SettingsConfigDict

        class Pool(BaseModel):
            dsn: str = "sqlite:///pool.db"

        class Database(BaseModel):
            url: str = "sqlite:///prod.db"
            replica: str = "sqlite:///replica.db"
            pool: Pool = Pool()

        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="SHOP_", env_nested_delimiter="__")
            store: Database = Database(replica="sqlite:///given.db")

        Settings()
        """
    seen = run(tmp_path, {"it.py": program}, "it.py", environ={"SHOP_STORE__URL": "sqlite:///test.db"})
    missing = {event["name"]: event["value"] for event in seen.of("environment", op="missing")}
    assert missing == {"SHOP_STORE__REPLICA": "sqlite:///given.db", "SHOP_STORE__POOL__DSN": "sqlite:///pool.db"}
    assert [event["name"] for event in seen.of("environment", op="read", whole=False)] == ["SHOP_STORE__URL"]


def test_what_setdefault_left_is_told(tmp_path: Path) -> None:
    """`setdefault` that finds another value there keeps it, which is told; one that sets it is not."""
    seen = run(
        tmp_path,
        {"it.py": 'import os\nfor name in ("DB_A", "DB_B", "DB_C"):\n    os.environ.setdefault(name, "mine")\n'},
        "it.py", environ={"DB_A": "theirs", "DB_B": "mine"},
    )  # fmt: skip
    kept = seen.one("environment", op="kept")
    assert (kept["name"], kept["value"], seen.places(kept)) == ("DB_A", "theirs", ["it.py:3 <module>"])


def test_a_mode_is_told_apart_from_what_names_a_database(tmp_path: Path) -> None:
    """Variables that can decide which database is used, such as APP_ENV, are told where the program asks for them."""
    program = """\
        import os
        os.environ.get("APP_ENV")
        os.environ["TESTING"] = "1"
        os.environ.get("VIRTUAL_ENV")
        os.environ.get("ENVIRONMENT_OF_MINE")
        """
    seen = run(tmp_path, {"it.py": program}, "it.py", environ={"APP_MODE": "live"})
    found = [(event["op"], event["name"], event["value"]) for event in seen.of("mode")]
    assert found == [("inherited", "APP_MODE", "live"), ("missing", "APP_ENV", None), ("set", "TESTING", "1")]
    assert seen.of("environment") == []


DEFAULTS = {
    "settings.py": """\
        import os
        from pydantic_settings import BaseSettings

        class Settings(BaseSettings):
            model_config = {"env_prefix": "app_"}
            audit_url: str = "sqlite:///audit.db"
            there_url: str = "sqlite:///there.db"
            colour: str = "red"

        Settings()
        os.getenv("ANALYTICS", "sqlite:///analytics.db")
        os.environ.get("ALSO", default="postgresql://me:s3cret@host/db")
        os.getenv("COLOUR", "red")
        url = os.getenv("LATER") or "sqlite:///later.db"
        """,
    "it.py": """\
        import os, settings

        os.environ["LATER"] = "sqlite:///set.db"
        os.environ["COLOUR"] = "blue"
        """,
}


def test_what_was_taken_instead_of_a_variable_is_told(tmp_path: Path) -> None:
    """A variable that is missing is told of with its default, where that is a database; a settings class asks alike."""
    seen = run(tmp_path, DEFAULTS, "it.py", environ={"APP_THERE_URL": "sqlite:///elsewhere.db"})
    missing = {event["name"]: event["value"] for event in seen.of("environment", op="missing")}
    assert missing == {
        "APP_AUDIT_URL": "sqlite:///audit.db", "ANALYTICS": "sqlite:///analytics.db",
        "ALSO": "postgresql://me:***@host/db", "LATER": None,
    }  # fmt: skip


def test_a_variable_is_known_for_what_it_is_once_it_is_set(tmp_path: Path) -> None:
    """Where only its value shows that a variable names a database, it is told that it was asked for before."""
    seen = run(tmp_path, DEFAULTS, "it.py")
    missing, written = (seen.one("environment", op=op, name="LATER") for op in ("missing", "set"))
    assert missing["at_s"] < written["at_s"]
    assert seen.places(missing)[0] == "settings.py:14 <module>"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("os.environ['B_URL']; os.environ.get('A_URL'); os.environ['B_URL']", ["B_URL", "A_URL", "C_URL"]),
        ("os.environ['B_URL']; dict(os.environ)", ["B_URL", "C_URL", "A_URL"]),
        ("Settings()", ["B_URL", "C_URL", "A_URL"]),
    ],
)
def test_of_several_variables_the_one_that_was_asked_for_last_leads(
    tmp_path: Path, program: str, expected: list[str]
) -> None:
    """Whoever copies the whole environment asks for none of them; a class of settings asks for its own."""
    files = {
        "it.py": f"""\
            import os, sqlalchemy
            from pydantic_settings import BaseSettings

            class Settings(BaseSettings):
                b_url: str

            {program}
            sqlalchemy.create_engine("sqlite:///prod.db")
            """
    }
    seen = run(tmp_path, files, "it.py", environ=dict.fromkeys(("A_URL", "B_URL", "C_URL"), "sqlite:///prod.db"))
    assert seen.one("engine")["variables"] == expected
