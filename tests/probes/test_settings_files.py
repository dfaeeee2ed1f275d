from __future__ import annotations

from pathlib import Path

import pytest

from tests.probes.seen import Seen, run

FILES = {
    ".env": """\
        # the developer's own
        DEBUG=1
        export DATABASE_URL="postgresql://me:s3cret@localhost:5432/prod"  # local
        DB_PASSWORD=s3cret
        """,
    "config.yaml": "server:\n  port: 80\ndatabase:\n  url: sqlite:///./from_yaml.db\n",
    "config.json": '{"debug": true,\n "database_url": "sqlite:///./from_json.db"}\n',
    "config.toml": "[tool.app]\nurl = 'sqlite:///./from_toml.db'\n",
    "data.txt": "DATABASE_URL=sqlite:///./from_data.db\n",
    "plain.ini": "[app]\ncolour = blue\n",
    "big.json": '"database_url": "sqlite:///big.db"\n' + "x" * 300_000,
    "app/__init__.py": "",
    "app/settings.py": """\
        import dotenv
        from functools import lru_cache
        from pydantic import PostgresDsn
        from pydantic_settings import BaseSettings

        class Settings(BaseSettings):
            model_config = {"env_file": ".env", "extra": "ignore"}
            database_url: PostgresDsn
            other: str = "sqlite:///./from_default.db"

        class Plain:
            URL = "sqlite:///./from_class.db"

        @lru_cache
        def get_settings():
            return Settings()

        plain = Plain()
        LITERAL = "sqlite:///./from_literal.db"
        """,
    "it.py": """\
        import json, tomllib
        from pathlib import Path
        from sqlalchemy import create_engine
        from app import settings

        create_engine(str(settings.get_settings().database_url))
        create_engine(settings.get_settings().other)
        create_engine(Path("config.yaml").read_text().split()[-1])
        create_engine(json.loads(Path("config.json").read_text())["database_url"])
        with open("config.toml", "rb") as file:
            create_engine(tomllib.load(file)["tool"]["app"]["url"])
        create_engine(settings.plain.URL)
        create_engine(settings.LITERAL)
        create_engine("sqlite://" + "/./put_together.db")
        for name in ("data.txt", "plain.ini", "big.json"):
            Path(name).read_text()
        Path("config.yaml").write_text("database: {}")
        """,
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return run(tmp_path_factory.mktemp("settings"), FILES, "it.py")


def engine(seen: Seen, url: str) -> dict[str, list[str]]:
    """Where the URL of an engine can have come from, in short."""
    event = next(event for event in seen.of("engine") if url in event["url"])
    files = [f"{Path(file).name}:{line} {name}" for file, line, name in event["files"]]
    return {"variables": event["variables"], "files": files, "held_by": event["held_by"]}


@pytest.mark.parametrize(
    ("url", "files", "held_by"),
    [
        ("/prod", [".env:3 DATABASE_URL"], ["app.settings.get_settings().database_url"]),
        ("from_default", [], ["app.settings.get_settings().other"]),
        ("from_yaml", ["config.yaml:4 url"], []),
        ("from_json", ["config.json:2 database_url"], []),
        ("from_toml", ["config.toml:2 url"], []),
        ("from_class", [], ["app.settings.Plain.URL", "app.settings.plain.URL"]),
        ("from_literal", [], ["app.settings.LITERAL"]),
        ("put_together", [], []),
    ],
)
def test_where_a_url_came_from(seen: Seen, url: str, files: list[str], held_by: list[str]) -> None:
    """For each engine, the lines of settings files and the application's objects that hold its URL are named."""
    found = engine(seen, url)
    assert found["variables"] == []
    assert found["files"] == files
    assert found["held_by"] == held_by


def test_a_settings_file_is_told_with_who_opened_it(seen: Seen) -> None:
    """A file is told of with the application's line that led to its opening, and its values without passwords."""
    event = next(event for event in seen.of("settings_file") if event["file"].endswith(".env"))
    assert any(place.startswith("app/settings.py:16 ") for place in seen.places(event))
    url = "postgresql://me:***@localhost:5432/prod"
    assert event["entries"] == [[3, "DATABASE_URL", url], [4, "DB_PASSWORD", "***"]]
    assert "s3cret" not in seen.text()


def test_other_files_are_left(seen: Seen) -> None:
    """Files of other names, without a database, too large, or opened to be written are not told of."""
    names = {Path(event["file"]).name for event in seen.of("settings_file")}
    assert names == {".env", "config.yaml", "config.json", "config.toml"}
    assert len([event for event in seen.of("settings_file") if event["file"].endswith("config.yaml")]) == 1


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """A file that was rewritten in between is known as it is now."""
    program = """\
        import os
        for name in ("one", "two!"):
            with open(".env", "w") as file:
                file.write(f"DATABASE_URL=sqlite:///{name}.db\\n")
            with open(".env") as file:
                file.read()
        """
    seen = run(tmp_path, {"it.py": program}, "it.py")
    assert [event["entries"][0][2] for event in seen.of("settings_file")] == ["sqlite:///one.db", "sqlite:///two!.db"]


@pytest.mark.parametrize(
    ("file", "line", "found"),
    [
        ("tox.ini", "    D:DB_URL=sqlite:///./a.db", [("DB_URL", "sqlite:///./a.db")]),
        ("setup.cfg", "    R:D:DB_FILE=a.db", [("DB_FILE", "a.db")]),
        ("pytest.ini", "env = DB_URL=sqlite:///./a.db", [("DB_URL", "sqlite:///./a.db")]),
        ("tox.ini", "setenv = DB_URL = sqlite:///./a.db", [("DB_URL", "sqlite:///./a.db")]),
        ("pyproject.toml", 'env = ["D:DB_URL=sqlite:///./a.db?b=c", "X=1", "DB_FILE=a.db"]',
         [("DB_URL", "sqlite:///./a.db?b=c"), ("DB_FILE", "a.db")]),
        ("pyproject.toml", 'DB_FILE = {value = "a.db", skip_if_set = true}', [("DB_FILE", "a.db")]),
        ("pyproject.toml", 'database = "a.db"', [("database", "a.db")]),
        (".env", "D:DB_URL=sqlite:///./a.db", [("D", "sqlite:///./a.db")]),
    ],
)  # fmt: skip
def test_what_sets_variables_for_tests_is_read(
    tmp_path: Path, file: str, line: str, found: list[tuple[str, str]]
) -> None:
    """A file of pytest's or tox's configuration names each variable by its own name, past the flags before it."""
    program = f"open({file!r}).read()\n"
    seen = run(tmp_path, {file: line + "\n", "it.py": program}, "it.py")
    assert seen.one("settings_file")["entries"] == [[1, name, value] for name, value in found]
