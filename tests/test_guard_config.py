"""The guard's lines get into what a project has, and leave the rest of it alone."""

from __future__ import annotations

import configparser
import tomllib
from pathlib import Path

import pytest

from kit.errors import GuardError
from kit.guard_config import changed, find_config

INI = {
    "nothing": "",
    "section only": "[pytest]\n",
    "options": "[pytest]\naddopts = -ra -q\npythonpath = .\n",
    "options below": "[pytest]\naddopts =\n    -ra\n    -q\n\n[other]\nx = 1\n",
    "a colon": "[pytest]\naddopts: -k a=b\n",
    "a list": "[pytest]\ndb_guard_allow = old.db\n    older.db\naddopts = -ra\n",
    "a list below": "[pytest]\naddopts = -ra\ndb_guard_allow =\n    old.db\n\n# the end\n",
    "on already": "[pytest]\naddopts = --db-guard -ra\n",
    "comments": "# first\n[pytest]\n# second\naddopts = -ra  ; third\n\n\n[tox]\nenvlist = py\n",
}
TOML = {
    "nothing": "",
    "another table": '[project]\nname = "x"\n',
    "text": '[tool.pytest.ini_options]\naddopts = "-ra -q"  # short\ntestpaths = ["tests"]\n\n[tool.x]\ny = 1\n',
    "long text": '[tool.pytest.ini_options]\naddopts = """\n  -ra\n  -q\n"""\n',
    "list": "[tool.pytest.ini_options]\naddopts = ['-ra', '-q']\n",
    "long list": '[tool.pytest.ini_options]\naddopts = [\n  "-ra",\n  "-q",  # [both]\n]\n\n[tool.x]\ny = 1\n',
    "empty list": "[tool.pytest.ini_options]\naddopts = []\ndb_guard_allow = []\n",
    "a list": '[tool.pytest.ini_options]\ndb_guard_allow = ["old.db"]\naddopts = ""\n',
    "nested": '[tool.pytest.ini_options]\nmarkers = [\n  "a: b",\n]\n\n[[tool.x.y]]\nz = 1\n',
}
ENTRIES = ("127.0.0.1:5433/testdb", "data/*.db")


def words(value: object) -> list[str]:
    return value.split() if isinstance(value, str) else list(value)  # type: ignore[call-overload]


@pytest.mark.parametrize("text", INI.values(), ids=INI)
def test_ini(text: str) -> None:
    """An ini file has the option and every entry once, all else as it was, and a second time is the same."""
    after = changed(text, Path("pytest.ini"), "pytest", ENTRIES)
    found, before = configparser.ConfigParser(inline_comment_prefixes=(";",)), configparser.ConfigParser()
    found.read_string(after)
    before.read_string(text)
    assert words(found["pytest"]["addopts"]).count("--db-guard") == 1
    old = before["pytest"].get("db_guard_allow", "") if "pytest" in before else ""
    assert words(found["pytest"]["db_guard_allow"]) == [*words(old), *ENTRIES]
    assert [line for line in text.splitlines() if "addopts" not in line and line not in after.splitlines()] == []
    assert set(before.sections()) <= set(found.sections())
    assert changed(after, Path("pytest.ini"), "pytest", ENTRIES) == after


@pytest.mark.parametrize("text", TOML.values(), ids=TOML)
def test_toml(text: str) -> None:
    """A TOML file has the option and every entry once, all else as it was, and a second time is the same."""
    after = changed(text, Path("pyproject.toml"), "tool.pytest.ini_options", ENTRIES)
    found, before = tomllib.loads(after), tomllib.loads(text)
    options = found["tool"]["pytest"].pop("ini_options")
    old = before.get("tool", {}).get("pytest", {}).pop("ini_options", {})
    assert words(options.pop("addopts")) == ["--db-guard", *words(old.pop("addopts", ""))]
    assert set(options.pop("db_guard_allow")) == {*ENTRIES, *old.pop("db_guard_allow", [])}
    assert options == old
    found["tool"].pop("pytest")
    assert {**found["tool"]} == {name: table for name, table in before.get("tool", {}).items() if name != "pytest"}
    assert found.get("project") == before.get("project")
    assert changed(after, Path("pyproject.toml"), "tool.pytest.ini_options", ENTRIES) == after


@pytest.mark.parametrize(("name", "section"), [("pytest.toml", "pytest"), ("pyproject.toml", "tool.pytest")])
def test_toml_of_pytest_9(name: str, section: str) -> None:
    """Where pytest takes TOML's own lists, the options are a list."""
    after = changed(f'[{section}]\naddopts = ["-ra"]\n', Path(name), section, ENTRIES)
    assert '"--db-guard", "-ra"' in after
    assert 'addopts = ["--db-guard"]' in changed("", Path(name), section, ENTRIES)


@pytest.mark.parametrize(
    "text",
    [
        '[tool.pytest]\nini_options = {addopts = "-ra"}\n',
        'tool.pytest.ini_options.addopts = "-ra"\n',
        '[tool.pytest.ini_options]\naddopts = "-ra"\ndb_guard_allow = "old.db"\n',
    ],
)
def test_what_is_written_otherwise_is_left_to_a_person(text: str) -> None:
    """A table that is written in an unusual way is not changed: the lines to add are told."""
    with pytest.raises(GuardError, match="add --db-guard to addopts"):
        changed(text, Path("pyproject.toml"), "tool.pytest.ini_options", ENTRIES)


def test_broken_toml_is_told(tmp_path: Path) -> None:
    """A file that is not TOML is named, and not touched."""
    (tmp_path / "pyproject.toml").write_text("[tool")
    with pytest.raises(GuardError, match=r"pyproject\.toml is not TOML"):
        find_config(tmp_path)


@pytest.mark.parametrize(
    ("files", "name", "section"),
    [
        ({}, "pytest.ini", "pytest"),
        ({"setup.py": ""}, "pytest.ini", "pytest"),
        ({"pyproject.toml": ""}, "pyproject.toml", "tool.pytest.ini_options"),
        ({"pyproject.toml": "", "setup.cfg": "[tool:pytest]\n"}, "setup.cfg", "tool:pytest"),
        ({"pyproject.toml": "", "tox.ini": "[pytest]\n"}, "tox.ini", "pytest"),
        ({"pyproject.toml": "", "tox.ini": "[tox]\n"}, "pyproject.toml", "tool.pytest.ini_options"),
        ({"pyproject.toml": "[tool.pytest.ini_options]\nx = 1\n", "tox.ini": "[pytest]\n"}, "pyproject.toml",
         "tool.pytest.ini_options"),
        ({"pyproject.toml": "[tool.pytest]\nx = 1\n"}, "pyproject.toml", "tool.pytest"),
        ({"pyproject.toml": "[tool.pytest.ini_options]\nx = 1\n", "pytest.ini": ""}, "pytest.ini", "pytest"),
        ({"pytest.ini": "[pytest]\n", "pytest.toml": ""}, "pytest.toml", "pytest"),
    ],
)  # fmt: skip
def test_the_file_that_pytest_reads(files: dict[str, str], name: str, section: str, tmp_path: Path) -> None:
    """The lines go where pytest looks first, as its own documentation orders the files."""
    for file, text in files.items():
        (tmp_path / file).write_text(text)
    assert find_config(tmp_path) == (tmp_path / name, section)
