"""The guard's lines get into what a project has, and leave the rest of it alone."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest
from iniconfig import IniConfig

from kit.errors import GuardError
from kit.guard.config import changed, config_of, text_of
from kit.guard.proof import suite_of

INI = {
    "nothing": "",
    "section only": "[pytest]\n",
    "options": "[pytest]\naddopts = -ra -q\npythonpath = .\n",
    "options below": "[pytest]\naddopts =\n    -ra\n    -q\n\n[other]\nx = 1\n",
    "a colon": "[pytest]\naddopts: -k a=b\n",
    "a list": "[pytest]\ndb_guard_allow = old.db\n    older.db\naddopts = -ra\n",
    "a list below": "[pytest]\naddopts = -ra\ndb_guard_allow =\n    old.db\n\n# the end\n",
    "on already": "[pytest]\naddopts = --db-guard -ra\n",
    "comments": "# first\n[pytest]\n# second\naddopts = -ra\n\n\n[tox]\nenvlist = py\n",
    "a comment beside the section": "[tox]\nenvlist = py\n[pytest]  # see [x]\naddopts = -ra\n",
    "a semicolon beside the section": "[pytest] ; ours\ntestpaths = tests\n",
    "no end of the last line": "[pytest]\naddopts = -ra",
    "no end of the last line, list": "[pytest]\ndb_guard_allow = old.db",
    "tabs": "[pytest]\naddopts\t=\t-ra\n\t-q\ntestpaths =\n\ttests\n",
    "a list with a colon": "[pytest]\ndb_guard_allow: old.db\naddopts: -ra\n",
    "a comment in a value": "[pytest]\naddopts =\n    -ra\n# why\n    -q\nx = 1\n",
    "a blank in a value": "[pytest]\naddopts =\n    -ra\n\n    -q\n\nx = 1\n",
    "no section yet": "[tox]\nenvlist = py\n",
    "a section of the like": "[pytest-watch]\nx = 1\n[pytest]\ny = 1\n",
    "a mark of its encoding": "\ufeff[pytest]\naddopts=-ra\n",
    "a comment in the list": "[pytest]\ndb_guard_allow =\n  old.db\n# why\n\n  older.db\n\nx = 1\n",
    "a comment above the next section": "[pytest]\nx = 1\n\n# of tox\n[tox]\nenvlist = py\n",
    "other ends of lines in a value": "[pytest]\nx = a\x0c b\u2028\n  c\naddopts = -ra\n",
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
    "no end of the last line": '[tool.pytest.ini_options]\naddopts = "-ra"',
    "a comment beside the table": '[ tool.pytest.ini_options ]  # ours\naddopts = "-ra"\n',
    "an indented table": '[tool]\n  [tool.pytest.ini_options]\n  addopts = "-ra"\n  [tool.x]\n  y = 1\n',
    "quotes in quotes": "[tool.pytest.ini_options]\naddopts = '-k \"a or b\"'\n",
    "inline": '[tool.pytest]\nini_options = {addopts = "-ra"}\n',
    "dotted": 'tool.pytest.ini_options.addopts = "-ra"\n',
    "dotted in a table": '[tool]\npytest.ini_options.addopts = "-ra"\nx.y = 1\n',
    "an empty table": "[tool.pytest.ini_options]\n\n[tool.x]\ny = 1\n",
    "tables in pieces": '[tool.x]\ny = 1\n[project]\nname = "x"\n[tool.z]\ny = 1\n',
    "comments in a list": '[tool.pytest.ini_options]  # a\naddopts = [  # b\n  "-ra",  # c\n  # d\n]  # e\n# f\n',
    "literal long text": "[tool.pytest.ini_options]\naddopts = '''\n-ra\n'''\n",
    "escapes": '[tool.pytest.ini_options]\naddopts="-k \\"a\\\\b\\""\n',
    "a comment at the end": '[tool.pytest.ini_options]\naddopts = "-ra"\n# the end',
    "nested": '[tool.pytest.ini_options]\nmarkers = [\n  "a: b",\n]\n\n[[tool.x.y]]\nz = 1\n',
}
ENTRIES = ("127.0.0.1:5433/testdb", "data/*.db")


def words(value: object) -> list[str]:
    return value.split() if isinstance(value, str) else list(value)  # type: ignore[call-overload]


def sections(text: str) -> dict[str, dict[str, str]]:
    """An ini file as pytest reads it."""
    return {section.name: dict(section.items()) for section in IniConfig("it", data=text)}


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("text", INI.values(), ids=INI)
def test_ini(text: str, end: str) -> None:
    """An ini file has the option and every entry once, all else as it was, and a second time is the same."""
    text = text.replace("\n", end)
    after = changed(text, Path("pytest.ini"), "pytest", ENTRIES)
    found, before = sections(after), sections(text)
    options = found["pytest"].pop("addopts").split()
    old = before.setdefault("pytest", {})
    given = words(old.pop("addopts", ""))
    assert options == ([] if "--db-guard" in given else ["-p", "kit-db-guard", "--db-guard"]) + given
    assert words(found["pytest"].pop("db_guard_allow")) == [*words(old.pop("db_guard_allow", "")), *ENTRIES]
    assert found == before
    kept = [line for line in text.split(end) if "addopts" not in line]
    assert not text or [line for line in kept if line not in after.split(end)] == []
    assert after.count("\n") == after.count(end) or "\n" not in text
    assert changed(after, Path("pytest.ini"), "pytest", ENTRIES) == after


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("text", TOML.values(), ids=TOML)
def test_toml(text: str, end: str) -> None:
    """A TOML file has the option and every entry once, all else as it was, and a second time is the same."""
    text = text.replace("\n", end)
    after = changed(text, Path("pyproject.toml"), "tool.pytest.ini_options", ENTRIES)
    found, before = tomllib.loads(after), tomllib.loads(text)
    options = found["tool"]["pytest"].pop("ini_options")
    old = before.get("tool", {}).get("pytest", {}).pop("ini_options", {})
    assert words(options.pop("addopts")) == ["-p", "kit-db-guard", "--db-guard", *words(old.pop("addopts", ""))]
    assert set(options.pop("db_guard_allow")) == {*ENTRIES, *old.pop("db_guard_allow", [])}
    assert options == old
    found["tool"].pop("pytest")
    assert {**found["tool"]} == {name: table for name, table in before.get("tool", {}).items() if name != "pytest"}
    assert found.get("project") == before.get("project")
    assert after.count("\n") == after.count(end) or "\n" not in text
    assert changed(after, Path("pyproject.toml"), "tool.pytest.ini_options", ENTRIES) == after


@pytest.mark.parametrize(("name", "section"), [("pytest.toml", "pytest"), ("pyproject.toml", "tool.pytest")])
def test_toml_of_pytest_9(name: str, section: str) -> None:
    """Where pytest takes TOML's own lists, the options are a list."""
    after = changed(f'[{section}]\naddopts = ["-ra"]\n', Path(name), section, ENTRIES)
    assert '["-p", "kit-db-guard", "--db-guard", "-ra"]' in after
    assert 'addopts = ["-p", "kit-db-guard", "--db-guard"]' in changed("", Path(name), section, ENTRIES)


@pytest.mark.parametrize(
    "text",
    [
        "tool = {pytest = {}}\n",
        "[tool]\npytest = {x = 1}\n",
        "[[tool.pytest]]\nx = 1\n",
        "[[tool.pytest.ini_options]]\nx = 1\n",
        "[tool.pytest]\nini_options = 1\n",
        "[tool.pytest.ini_options]\naddopts = 1\n",
        '[tool.pytest.ini_options]\naddopts = "-ra"\ndb_guard_allow = "old.db"\n',
    ],
)
def test_what_is_written_otherwise_is_left_to_a_person(text: str) -> None:
    """A table that is written in an unusual way is not changed: the lines to add are told."""
    with pytest.raises(GuardError, match="put -p kit-db-guard --db-guard at the beginning of addopts"):
        changed(text, Path("pyproject.toml"), "tool.pytest.ini_options", ENTRIES)


def test_comments_and_blank_lines_stay_where_they_are() -> None:
    """Of what was there only the line of the options is another, in any notation."""
    for text, name, section in (
        *((text, "pytest.ini", "pytest") for text in INI.values()),
        *((text, "pyproject.toml", "tool.pytest.ini_options") for text in TOML.values()),
    ):
        kept = [line for line in text.splitlines() if not re.search("addopts|db_guard_allow|#", line)]
        comments = [comment for line in text.splitlines() for _, sign, comment in [line.partition("#")] if sign]
        after = changed(text, Path(name), section, ENTRIES).splitlines()
        others = iter(after)
        assert [line for line in kept if line not in others] == []  # in this order
        assert [comment for line in after for _, sign, comment in [line.partition("#")] if sign] == comments


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_table_with_a_table_below_it(end: str) -> None:
    """Lines that are added before a table of the table's own end as the file's do."""
    text = "[tool.pytest]\nx = 1\n[tool.pytest.y]\nz = 1\n".replace("\n", end)
    after = changed(text, Path("pyproject.toml"), "tool.pytest", ENTRIES)
    assert after.count("\n") == after.count(end)
    assert tomllib.loads(after)["tool"]["pytest"]["db_guard_allow"] == list(ENTRIES)


def test_a_file_with_both_ends_of_lines_keeps_them() -> None:
    """What was there ends as it did."""
    ini, toml = "[pytest]\r\nx=1\naddopts=-q\n", '[tool.pytest.ini_options]\r\nx = 1\ny = 2\r\n'
    assert changed(ini, Path("pytest.ini"), "pytest", ENTRIES).startswith("[pytest]\r\nx=1\naddopts=-p kit-db-guard ")
    assert changed(toml, Path("pyproject.toml"), "tool.pytest.ini_options", ENTRIES).startswith(toml)


@pytest.mark.parametrize("text", ["[pytest]\nx = 1\nx = 2\n", "x = 1\n[pytest]\n", "[pytest]\n[pytest]\n"])
def test_an_ini_file_that_pytest_cannot_read_is_told(text: str) -> None:
    """What pytest's own reader refuses is named, and not changed."""
    with pytest.raises(GuardError, match=r"pytest cannot read .*pytest\.ini: "):
        changed(text, Path("pytest.ini"), "pytest", ENTRIES)


@pytest.mark.parametrize(("name", "library"), [("setup.cfg", "iniconfig"), ("pyproject.toml", "tomlkit")])
def test_a_library_that_is_missing_is_named(name: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra that brings it is what is to be installed."""
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(GuardError, match=rf"{library}, which is not installed.*pip install .*\[guard\]"):
        changed("", Path(name), "tool.pytest", ENTRIES)


def test_broken_toml_is_told(tmp_path: Path) -> None:
    """A file that is not TOML is named, and not touched."""
    (tmp_path / "pyproject.toml").write_text("[tool")
    with pytest.raises(GuardError, match=r"pyproject\.toml is not TOML"):
        config_of(None, tmp_path, 9)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A folder in the place of the file, and a file that is not in UTF-8, are named with what to do."""
    (tmp_path / "pyproject.toml").mkdir()
    with pytest.raises(GuardError, match=r"pyproject\.toml cannot be read: Is a directory"):
        config_of(tmp_path / "pyproject.toml", tmp_path, 9)
    (tmp_path / "pytest.toml").write_bytes("# Größe".encode("latin-1"))
    with pytest.raises(GuardError, match=r"pytest\.toml is not in UTF-8"):
        text_of(tmp_path / "pytest.toml")


INI_OPTIONS = "[tool.pytest.ini_options]\ndb_guard_allow = ['x.db']\n"
LISTED = "db_guard_allow = x.db\n"


@pytest.mark.parametrize(
    ("files", "name", "section"),
    [
        ({}, "it/pytest.ini", "pytest"),
        ({"it/setup.py": ""}, "it/pytest.ini", "pytest"),
        ({"it/pyproject.toml": ""}, "it/pyproject.toml", "tool.pytest.ini_options"),
        ({"it/pyproject.toml": "", "it/setup.cfg": f"[tool:pytest]\n{LISTED}"}, "it/setup.cfg", "tool:pytest"),
        ({"it/setup.cfg": f"[metadata]\nname=x\n[tool:pytest]  # ours\n{LISTED}"}, "it/setup.cfg", "tool:pytest"),
        ({"it/pyproject.toml": "", "it/tox.ini": f"[pytest]\n{LISTED}"}, "it/tox.ini", "pytest"),
        ({"it/tox.ini": f"[tox]\nx = 1\n[pytest]  # ours\n{LISTED}"}, "it/tox.ini", "pytest"),
        ({"it/tox.ini": f"[pytest]\n{LISTED}", "it/setup.cfg": "[tool:pytest]\n"}, "it/tox.ini", "pytest"),
        ({"it/tox.ini": "[tox]\n", "it/setup.cfg": f"[tool:pytest]\n{LISTED}"}, "it/setup.cfg", "tool:pytest"),
        ({"it/pyproject.toml": "", "it/tox.ini": "[tox]\n"}, "it/pyproject.toml", "tool.pytest.ini_options"),
        ({"it/pyproject.toml": INI_OPTIONS, "it/tox.ini": "[pytest]\n"}, "it/pyproject.toml",
         "tool.pytest.ini_options"),
        ({"it/pyproject.toml": "[tool.pytest]\ndb_guard_allow = ['x.db']\n"}, "it/pyproject.toml", "tool.pytest"),
        ({"it/pyproject.toml": INI_OPTIONS, "it/pytest.ini": ""}, "it/pytest.ini", "pytest"),
        ({"it/pytest.ini": "[pytest]\n", "it/pytest.toml": "[pytest]\ndb_guard_allow = ['x.db']\n"},
         "it/pytest.toml", "pytest"),
        ({"it/.pytest.ini": f"[pytest]\n{LISTED}"}, "it/.pytest.ini", "pytest"),
        ({"pytest.ini": f"[pytest]\n{LISTED}", "it/conftest.py": ""}, "pytest.ini", "pytest"),
        ({"pyproject.toml": INI_OPTIONS, "it/tox.ini": "[tox]\n"}, "pyproject.toml", "tool.pytest.ini_options"),
    ],
)  # fmt: skip
def test_the_file_that_pytest_reads(files: dict[str, str], name: str, section: str, tmp_path: Path) -> None:
    """The lines go where the project's own pytest reads, above the project too; the list is read from there."""
    (tmp_path / "it").mkdir()
    for file, text in files.items():
        (tmp_path / file).write_text(text)
    with suite_of(tmp_path / "it", sys.executable) as suite:
        told = suite.read()
    assert config_of(told.config, tmp_path / "it", told.version) == (tmp_path / name, section)
    assert told.listed == (("x.db",) if "x.db" in files.get(name, "") else ())


def test_options_in_the_environment_lead_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """-c in PYTEST_ADDOPTS names the file that is read, and -o the list; neither is what the configuration says."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "ci.cfg").write_text("[tool:pytest]\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", f"-c {tmp_path / 'ci.cfg'} -o db_guard_allow=y.db --db-guard")
    with suite_of(tmp_path, sys.executable) as suite:
        told = suite.read()
    assert config_of(told.config, tmp_path, told.version) == (tmp_path / "ci.cfg", "tool:pytest")
    assert (told.listed, told.on) == (("y.db",), False)
