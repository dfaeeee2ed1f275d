from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest

from tests.probes.seen import PYTEST, Seen, run

HOLDERS = {
    "app/__init__.py": "",
    "app/config.py": """\
        from functools import lru_cache
        from pathlib import Path

        URL = "sqlite:///own.db"
        FILE = Path("own.db")
        TABLES = {"default": {"name": "own.db", "user": "me"}}
        TITLE = "a title"


        class Settings:
            database = "sqlite:///own.db"

            def __init__(self):
                self.url = "sqlite:///own.db"


        class Slim:
            __slots__ = ("url",)


        settings, slim, missing = Settings(), Slim(), None
        slim.url = "sqlite:///own.db"
        database_url = None


        @lru_cache
        def get_settings():
            return Settings()


        get_settings()


        def use(url):
            global URL
            URL = url
        """,
}


def seen(tmp_path: Path, body: str, files: dict[str, str] | None = None, expect: int = 0) -> Seen:
    """Run one test with a fixture that has a body; the first test finds everything as it is."""
    test = dedent("""\
        import pytest
        from unittest import mock
        from app import config

        def test_nothing(): ...

        @pytest.fixture
        def changed(monkeypatch, tmp_path):
        """) + indent(dedent(body), "    ") + "\n\ndef test_it(changed): ...\n"  # fmt: skip
    return run(tmp_path, {**HOLDERS, **(files or {}), "test_it.py": test}, *PYTEST, expect=expect)


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("config.URL = 'sqlite:///test.db'", "app.config.URL"),
        ("config.FILE = tmp_path / 'test.db'", "app.config.FILE"),
        ("config.TABLES['default']['name'] = 'test.db'", "app.config.TABLES['default']['name']"),
        ("config.TABLES['default'].update(name='test.db')", "app.config.TABLES['default']['name']"),
        ("config.TABLES.update({'default': {'name': 'test.db'}})", "app.config.TABLES['default']['name']"),
        ("config.settings.url = 'sqlite:///test.db'", "app.config.settings.url"),
        ("config.Settings.database = 'sqlite:///test.db'", "app.config.Settings.database"),
        ("config.slim.url = 'sqlite:///test.db'", "app.config.slim.url"),
        ("config.get_settings().url = 'sqlite:///test.db'", "app.config.get_settings().url"),
        ("config.database_url = 'postgresql://u@h/test'", "app.config.database_url"),
        ("monkeypatch.setattr(config, 'URL', 'sqlite:///test.db')", "app.config.URL"),
        ("monkeypatch.setattr('app.config.URL', 'sqlite:///test.db')", "app.config.URL"),
        ("config.use('sqlite:///test.db')", "app.config.URL"),
    ],
)
def test_a_setting_that_is_given_another_database_is_told_with_its_line(
    tmp_path: Path, statement: str, place: str
) -> None:
    """Whatever holds the text and however it is replaced: its place, the fixture and the line are told."""
    found = seen(tmp_path, f"assert config.TITLE\n{statement}")
    event = found.one("setting", op="changed")
    assert event["name"] == place
    assert "test" in event["value"]
    assert (event["test"], event["phase"]) == ("test_it.py::test_it", "setup")
    assert found.places(event)[-1] == "test_it.py:10 changed"


def test_what_is_taken_from_an_object_as_a_whole_has_the_line_that_takes_it(tmp_path: Path) -> None:
    """Where a fixture hands over an object that holds the key, it is that line which is told, not the object's own."""
    files = {
        "app/flasky.py": """\
            class Config(dict):
                def from_object(self, thing):
                    for name in dir(thing):
                        if name.isupper():
                            self[name] = getattr(thing, name)

            class App:
                config = Config(DATABASE="sqlite:///own.db")

            app = App()
            """,
        "conftest.py": """\
            import app.flasky

            class TestConfig:
                DATABASE = "sqlite:///test.db"
            """,
    }
    body = "from app.flasky import app\nfrom conftest import TestConfig\napp.config.from_object(TestConfig)"
    found = seen(tmp_path, body, files)
    event = found.one("setting", name="app.flasky.App.config['DATABASE']")
    assert found.places(event) == ["test_it.py:11 changed"]


def test_the_line_of_the_application_that_a_fixture_calls_is_told_first(tmp_path: Path) -> None:
    """The function that writes a setting goes before the line of the tests that calls it."""
    found = seen(tmp_path, "config.use('sqlite:///test.db')")
    places = found.places(found.one("setting", op="changed"))
    assert [place.rpartition(" ")[2] for place in places] == ["use", "changed"]


def test_what_pytest_puts_back_is_told_as_such(tmp_path: Path) -> None:
    """The undoing of a patch is no change of the tests'."""
    found = seen(tmp_path, "monkeypatch.setattr(config, 'URL', 'sqlite:///test.db')")
    assert [(event["op"], event["value"]) for event in found.of("setting")] == [
        ("changed", "sqlite:///test.db"),
        ("restored", "sqlite:///own.db"),
    ]


@pytest.mark.parametrize(
    "statement",
    ["config.TITLE = 'another title'", "config.URL = 'sqlite:///own.db'", "config.missing = 'nothing'", "url = 'x.db'"],
)
def test_what_names_no_other_database_is_not_told(tmp_path: Path, statement: str) -> None:
    """A text that names none, the same again, and names of the tests' own are no settings that have changed."""
    assert seen(tmp_path, statement).of("setting") == []


def test_a_module_that_is_imported_anew_is_followed(tmp_path: Path) -> None:
    """What it holds now is compared with what it held before, and from then on it is the new one that is watched."""
    files = {
        "app/urls.py": """\
            import os
            from app import config
            URL = os.environ.get("NAME", config.URL)
            OLD = config.URL
            """,
        "conftest.py": "import app.urls\n",
    }
    body = """\
        import importlib, sqlite3, sys
        monkeypatch.setenv("NAME", "sqlite:///test.db")
        before = sys.modules.pop("app.urls")
        urls = importlib.import_module("app.urls")
        sqlite3.connect(":memory:").execute("select 1")
        urls.OLD = "sqlite:///other.db"
        before.URL = "sqlite:///nobody.db"
        """
    found = seen(tmp_path, body, files)
    told = [(event["name"], event["before"], event["value"]) for event in found.of("setting")]
    assert told == [
        ("app.urls.URL", "sqlite:///own.db", "sqlite:///test.db"),
        ("app.urls.OLD", "sqlite:///own.db", "sqlite:///other.db"),
    ]


def test_modules_that_come_as_others_go_are_watched(tmp_path: Path) -> None:
    """A test that imports a module and removes others may leave as many as there were."""
    files = {
        "app/late.py": "import app\nURL = 'sqlite:///own.db'\nengine = app.engine\n",
        "test_later.py": """\
            import sys, types, app
            from sqlalchemy import create_engine

            app.engine = create_engine("sqlite:///own.db")
            sys.modules.update({f"filler_{number}": types.ModuleType("filler") for number in range(20)})

            def test_nothing_is_new(): ...

            def test_imports():
                before = len(sys.modules)
                import app.late
                for number in range(len(sys.modules) - before):
                    del sys.modules[f"filler_{number}"]
                assert len(sys.modules) == before

            def test_changes():
                app.late.URL = "sqlite:///test.db"
                app.late.engine = None
            """,
    }
    found = seen(tmp_path, "pass", files)
    assert found.one("setting", op="changed")["name"] == "app.late.URL"
    assert [event["op"] for event in found.of("name") if event["module"] == "app.late"] == ["held", "unbound"]


def test_a_change_that_is_over_before_the_test_ends_is_told_where_a_database_is_used(tmp_path: Path) -> None:
    """A patch in the body of a test is seen at the first use of a database within it."""
    body = """\
        import sqlite3
        with mock.patch.object(config, "URL", "sqlite:///test.db"):
            sqlite3.connect(":memory:").execute("select 1")
        """
    found = seen(tmp_path, body)
    event = found.one("setting", op="changed")
    assert found.places(event) == ["test_it.py:10 changed"]


def test_what_a_conftest_changed_before_anything_was_looked_at_is_told(tmp_path: Path) -> None:
    """A global that its module's own text gives another value was changed since."""
    files = {"conftest.py": "from app import config\n\nconfig.URL = 'sqlite:///test.db'\n"}
    found = seen(tmp_path, "assert config.URL", files)
    event = found.one("setting")
    assert (event["name"], event["before"]) == ("app.config.URL", "sqlite:///own.db")
    assert found.places(event) == ["conftest.py:3 <module>"]


def test_an_application_that_no_global_holds_is_looked_at_from_when_its_engine_was_made(tmp_path: Path) -> None:
    """A mapping on an object of a factory's is followed, where it held the engine's URL as that was made."""
    files = {
        "app/factory.py": """\
            from sqlalchemy import create_engine

            class App:
                def __init__(self):
                    self.config = {"DATABASE": "sqlite:///own.db"}

            def create_app():
                app = App()
                app.engine = create_engine(app.config["DATABASE"])
                return app
            """,
    }
    found = seen(tmp_path, "from app.factory import create_app\napp = create_app()\n"
                 "app.config['DATABASE'] = 'sqlite:///test.db'\nreturn app", files)  # fmt: skip
    event = found.one("setting", op="changed")
    assert event["name"] == "app.factory.create_app.app.config['DATABASE']"
    assert found.places(event) == ["test_it.py:11 changed"]


def test_a_global_that_holds_a_text_from_elsewhere_is_told_with_the_line_that_assigns_it(tmp_path: Path) -> None:
    """The string of a setting stands in one module, and another module's object holds it when its engine is made."""
    files = {
        "app/store.py": """\
            from sqlalchemy import create_engine
            from app.config import Settings

            own = Settings()

            def open_it():
                return create_engine(own.url)
            """,
    }
    found = seen(tmp_path, "from app.store import open_it\nconfig.settings.url = 'sqlite:///test.db'\nopen_it()", files)
    event = found.one("text", name="app.store.own.url")
    assert (event["is_held"], found.places(event)) == (True, ["app/store.py:4 <module>"])


def test_a_password_in_a_setting_is_not_shown(tmp_path: Path) -> None:
    """What is written down of a URL has no password."""
    found = seen(tmp_path, "config.URL = 'postgresql://u:pa55w0rdpa55@h/test'")
    assert "pa55w0rdpa55" not in found.text()
    assert found.one("setting")["value"] == "postgresql://u:***@h/test"
