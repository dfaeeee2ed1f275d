"""`kit guard init` on real projects: it writes, proves, and undoes what it cannot prove."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from kit.cli import main
from kit.errors import GuardError
from kit.guard_init import init, written

TEST = "import sqlite3\n\ndef test_other():\n    sqlite3.connect('prod.db').close()\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "test_it.py").write_text(TEST)
    (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "-ra"\n')
    return folder


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_it_writes_and_proves(project: Path) -> None:
    """The lines are shown as a diff, the project's own test is stopped from then on, and nothing else is left there."""
    before = files(project)
    shown = CliRunner().invoke(main, ["guard", "init", str(project), "--allow", "test.db", "--python", sys.executable])
    assert shown.exit_code == 0, shown.output
    assert '+addopts = "--db-guard -ra"' in shown.output
    assert '+  "test.db",' in shown.output
    assert "Proved: planted tests that reach another database fail" in shown.output
    after = files(project)
    assert {name for name in after if after[name] != before.get(name)} == {"pyproject.toml"}
    ran = subprocess.run([sys.executable, "-m", "pytest"], cwd=project, capture_output=True, text=True)
    assert "test_it.py:4 test_other asked for prod.db" in ran.stdout
    assert ran.returncode == 1


def test_a_second_time_writes_nothing(project: Path) -> None:
    """Asked again, it proves again, and has nothing to write; asked for one database more, it adds that one."""
    init(project, ["test.db"], sys.executable)
    before = files(project)
    again = init(project, ["test.db"], sys.executable)
    assert (again.diff, files(project)) == ("", before)
    assert again.stopped == ("test_refused", "test_swallowed", "test_in_a_process")
    more = init(project, ["other.db"], sys.executable)
    assert "other.db" in more.diff
    options = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert options == {"addopts": "--db-guard -ra", "db_guard_allow": ["other.db", "test.db"]}


@pytest.mark.parametrize("allow", ["/tmp/*", "*"])
def test_a_list_that_names_all_temporary_files_can_be_proved(project: Path, allow: str) -> None:
    """Where the list lets through the folder of the proof itself, the proof goes elsewhere and still bites."""
    assert init(project, [allow], sys.executable).stopped


def test_a_guard_that_does_not_bite_is_undone(project: Path) -> None:
    """A list that lets everything through cannot be proved: it is said, and the file is as it was."""
    before = files(project)
    with pytest.raises(GuardError, match="does not bite: test_refused passed and should have failed"):
        init(project, ["/*"], sys.executable)
    assert files(project) == before


def test_a_guard_that_something_takes_off_is_undone(project: Path) -> None:
    """A project whose options switch the plugin off gets no guard that does nothing."""
    (project / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "-p no:kit-db-guard"\n')
    before = files(project)
    with pytest.raises(GuardError, match="has no pytest with the guard in it"):
        init(project, ["test.db"], sys.executable)
    assert files(project) == before


def test_an_interpreter_without_the_kit_is_named(project: Path, tmp_path: Path) -> None:
    """Where the tests' interpreter lacks the kit, that is said with what to do, and nothing is written."""
    before = files(project)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    with pytest.raises(GuardError, match="bare/bin/python has no pytest with the guard in it"):
        init(project, ["test.db"], str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(GuardError, match="could not run the proof"):
        init(project, ["test.db"], str(tmp_path / "no-such-python"))
    assert files(project) == before


def test_a_project_without_configuration_gets_some(tmp_path: Path) -> None:
    """Where pytest has no file to read, one is made; where the proof fails, it is taken away again."""
    with pytest.raises(GuardError, match="does not bite"):
        init(tmp_path, ["/*"], sys.executable)
    assert files(tmp_path) == {}
    init(tmp_path, ["test.db"], sys.executable)
    assert files(tmp_path) == {"pytest.ini": "[pytest]\naddopts = --db-guard\ndb_guard_allow =\n    test.db\n"}


def test_some_database_must_be_named(project: Path) -> None:
    """Without a list, given or there, it is asked for."""
    with pytest.raises(GuardError, match="No database is named"):
        init(project, [], sys.executable)


def test_no_password_is_written(project: Path) -> None:
    """Of a server's URL only the place gets into the file."""
    done = init(project, ["postgresql+asyncpg://me:secret@127.0.0.1:5433/testdb"], sys.executable)
    assert '"127.0.0.1:5433/testdb"' in (project / "pyproject.toml").read_text()
    assert "secret" not in done.diff + (project / "pyproject.toml").read_text()
    with pytest.raises(GuardError, match="holds a comment") as refused:
        written("# postgresql://me:secret@h/d")
    assert "secret" not in str(refused.value)
