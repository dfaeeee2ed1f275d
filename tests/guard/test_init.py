"""`kit guard init` on real projects: it writes, proves, and undoes what it cannot prove."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from kit.cli import main
from kit.errors import GuardError
from kit.guard.init import init, written
from kit.guard.proof import suite_of

ROOT = Path(__file__).parents[2]
TEST = "import sqlite3\n\ndef test_other():\n    sqlite3.connect('prod.db').close()\n"


@pytest.fixture(autouse=True)
def _without_fastapi(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty module in the place of a plugin that would import FastAPI into each of some five runs of pytest."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "pytest_fastapi_deps.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "test_it.py").write_text(TEST)
    (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "-ra"\n')
    return folder


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Everything in a folder, byte for byte, with its mode."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode)
        for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip


def written_into(folder: Path, layout: Mapping[str, str]) -> Path:
    """A project of these files, ends of lines as they are."""
    for name, text in layout.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return folder


def test_it_writes_and_proves(project: Path) -> None:
    """The lines are shown as a diff, the project's own test is stopped from then on, and nothing else is left there."""
    before = files(project)
    shown = CliRunner().invoke(main, ["guard", "init", str(project), "--allow", "test.db", "--python", sys.executable])
    assert shown.exit_code == 0, shown.output
    assert '+addopts = "-p kit-db-guard --db-guard -ra"' in shown.output
    assert '+  "test.db",' in shown.output
    assert "Proved: pytest collects the same 1 test as before." in shown.output
    assert "Proved: planted tests that reach another database fail" in shown.output
    assert f"The environment of these tests needs the kit: python -m pip install {ROOT}" in shown.output
    after = files(project)
    assert {name for name in after if after[name] != before.get(name)} == {"pyproject.toml"}
    ran = subprocess.run([sys.executable, "-m", "pytest"], cwd=project, capture_output=True, text=True)
    assert "test_it.py:4 test_other requested prod.db" in ran.stdout
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
    assert options == {"addopts": "-p kit-db-guard --db-guard -ra", "db_guard_allow": ["other.db", "test.db"]}


@pytest.mark.parametrize("allow", ["/tmp/*", "*"])
def test_a_list_that_names_all_temporary_files_can_be_proved(project: Path, allow: str) -> None:
    """Where the list lets through the folder of the proof itself, the proof goes elsewhere and still bites."""
    assert init(project, [allow], sys.executable).stopped


def test_a_guard_that_does_not_bite_is_undone(project: Path) -> None:
    """A list that lets everything through cannot be proved: it is said, and the file is as it was."""
    before = files(project)
    with pytest.raises(GuardError, match="does not work: test_refused passed and should have failed"):
        init(project, ["/*"], sys.executable)
    assert files(project) == before


def test_a_guard_that_something_takes_off_is_undone(project: Path) -> None:
    """A project whose options switch the plugin off gets no guard that does nothing."""
    (project / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "-p no:kit-db-guard"\n')
    before = files(project)
    with pytest.raises(GuardError, match="has no pytest with the guard"):
        init(project, ["test.db"], sys.executable)
    assert files(project) == before


def test_an_interpreter_without_the_kit_is_named(project: Path, tmp_path: Path) -> None:
    """Where the tests' interpreter lacks the kit, that is said with what to do, and nothing is written."""
    before = files(project)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    with pytest.raises(GuardError, match=f"bare/bin/python has no pytest .*bare/bin/python -m pip install {ROOT}"):
        init(project, ["test.db"], str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(GuardError, match=r"could not run pytest: No such file.* Wanted: the path of a Python"):
        init(project, ["test.db"], str(tmp_path / "no-such-python"))
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexit 3\n")
    silent.chmod(0o755)
    with pytest.raises(GuardError, match=r"silent -m pytest wrote nothing, .* exit code 3\. Wanted: a Python"):
        init(project, ["test.db"], str(silent))
    assert files(project) == before


def test_a_project_without_configuration_gets_some(tmp_path: Path) -> None:
    """Where pytest has no file to read, one is made; where the proof fails, it is taken away again."""
    with pytest.raises(GuardError, match="does not work"):
        init(tmp_path, ["/*"], sys.executable)
    assert files(tmp_path) == {}
    init(tmp_path, ["test.db"], sys.executable)
    after = "[pytest]\naddopts = -p kit-db-guard --db-guard\ndb_guard_allow =\n    test.db\n"
    assert (tmp_path / "pytest.ini").read_text() == after
    assert list(files(tmp_path)) == ["pytest.ini"]


def test_some_database_must_be_named(project: Path) -> None:
    """Without a list, given or there, it is asked for."""
    with pytest.raises(GuardError, match="No database is named"):
        init(project, [], sys.executable)


def test_no_password_is_written(project: Path) -> None:
    """Of a server's URL only the place gets into the file."""
    done = init(project, ["postgresql+asyncpg://me:secret@127.0.0.1:5433/testdb"], sys.executable)
    assert '"127.0.0.1:5433/testdb"' in (project / "pyproject.toml").read_text()
    assert "secret" not in done.diff + (project / "pyproject.toml").read_text()
    with pytest.raises(GuardError, match="contains a comment") as refused:
        written("# postgresql://me:secret@h/d")
    assert "secret" not in str(refused.value)


SUBSET = {"tests/test_mine.py": TEST, "other/test_not_mine.py": "def test_broken(): assert False\n"}
LAYOUTS: dict[str, tuple[dict[str, str], str, str]] = {
    "a comment beside the section": (
        {"tox.ini": "[tox]\nenvlist = py\n\n[pytest]  # ours\ntestpaths = tests\n", **SUBSET}, "tox.ini", "\n",
    ),
    "CRLF": ({"setup.cfg": "[tool:pytest]\r\ntestpaths = tests\r\n", **SUBSET}, "setup.cfg", "\r\n"),
    "both, and tests that are chosen": (
        {"tox.ini": "[pytest]\ntestpaths = tests\naddopts = -x -m 'not slow' -k other tests --junitxml=r.xml "
         "--log-file=l.txt\nmarkers = slow",
         "setup.cfg": "[tool:pytest]\ntestpaths = other\n", **SUBSET},
        "tox.ini", "\n",
    ),
    "a configuration above": (
        {"../pyproject.toml": "[tool.pytest.ini_options]\npython_files = ['test_mine.py']\n", **SUBSET},
        "../pyproject.toml", "\n",
    ),
    "a module that cannot be imported": (
        {"pytest.ini": "[pytest]\naddopts = --continue-on-collection-errors\n", "test_a.py": "import nowhere\n",
         "test_b.py": TEST},
        "pytest.ini", "\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("layout", "config", "end"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_suite_stays_what_it_was(layout: dict[str, str], config: str, end: str, tmp_path: Path) -> None:
    """The file that pytest reads is the one that is changed, by added lines alone, and the same tests are collected."""
    project = written_into(tmp_path / "project", layout)
    before = files(tmp_path)
    done = init(project, ["test.db"], sys.executable)
    after = files(tmp_path)
    name = os.path.normpath(f"project/{config}")
    assert {file for file in after if after[file] != before.get(file)} == {name}
    text = after[name][0].decode()
    assert text.count(end) == text.count("\n")
    assert all(line[:1] in "+- @\\" for line in done.diff.splitlines())
    old = before[name][0].decode()
    assert done.diff.count("\n-") == ("addopts" in old) + (not old.endswith("\n"))  # lines that are not the same
    with suite_of(project, sys.executable) as suite:
        now = suite.collected()
    assert (now.on, len(now.tests), done.collected) == (True, 1, 1)
    assert now.tests[0].startswith(str(project))
    assert now.tests[0].endswith("::test_other")


def test_a_suite_that_collects_something_else_is_undone(project: Path) -> None:
    """Where pytest no longer collects what it did, the tests are named and the file is put back."""
    (project / "conftest.py").write_text(
        "def pytest_ignore_collect(config):\n    return 'db_guard_allow' in config.inipath.read_text() or None\n"
    )
    before = files(project)
    with pytest.raises(GuardError, match=r"pytest collects 0 tests, 1 before: .*test_it\.py::test_other"):
        init(project, ["test.db"], sys.executable)
    assert files(project) == before


def test_what_connects_while_it_is_collected_is_named(project: Path) -> None:
    """A suite that is refused while it is imported is refused before, too: the same tests are collected."""
    (project / "test_early.py").write_text("import sqlite3\nsqlite3.connect('prod.db')\ndef test_it(): pass\n")
    assert init(project, ["test.db"], sys.executable).collected == 1
    assert not (project / "prod.db").exists()


def test_a_link_stays_a_link(project: Path, tmp_path: Path) -> None:
    """A configuration that is a link is changed where it leads to, with its mode, and put back there."""
    real = tmp_path / "shared.ini"
    real.write_bytes(b"[pytest]\n")
    real.chmod(0o640)
    (project / "pytest.ini").symlink_to(real)
    with pytest.raises(GuardError, match="does not work"):
        init(project, ["/*"], sys.executable)
    assert (real.read_bytes(), real.stat().st_mode & 0o777) == (b"[pytest]\n", 0o640)
    init(project, ["test.db"], sys.executable)
    assert (project / "pytest.ini").is_symlink()
    assert b"--db-guard" in real.read_bytes()
    assert real.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_proof_is_undone(project: Path, number: signal.Signals) -> None:
    """A signal in the middle of the proof leaves the file as it was, byte for byte, and nothing of the proof's own."""
    (project / "conftest.py").write_text(
        "import os, threading\n"
        "if '--db-guard' in open('pyproject.toml').read():\n"
        f"    os.kill(os.getppid(), {number})\n"
        "    threading.Event().wait(20)\n"
    )
    (project / "pyproject.toml").chmod(0o604)
    before = files(project)
    command = [sys.executable, "-m", "kit", "guard", "init", ".", "--allow", "test.db", "--python", sys.executable]
    temporary = project.parent / "temporary"
    temporary.mkdir()
    environ = {**os.environ, "TMPDIR": str(temporary)}
    ended = subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True)
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    assert files(project) == before
    assert list(temporary.iterdir()) == []


def test_a_proof_that_is_killed_leaves_nothing_for_good(project: Path) -> None:
    """After SIGKILL in the middle of the proof, the next start of the kit removes the folder of the proof."""
    (project / "conftest.py").write_text(
        "import os, threading\n"
        "if '--db-guard' in open('pyproject.toml').read():\n"
        f"    os.kill(os.getppid(), {signal.SIGKILL})\n"
    )
    temporary = project.parent / "temporary"
    temporary.mkdir()
    environ = {**os.environ, "TMPDIR": str(temporary)}
    kit = [sys.executable, "-m", "kit"]
    command = [*kit, "guard", "init", ".", "--allow", "test.db", "--python", sys.executable]
    killed = subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL
    assert list(temporary.iterdir()) != []
    subprocess.run([*kit, "trace", "--", "true"], cwd=project, env=environ, capture_output=True, check=True)
    assert list(temporary.iterdir()) == []


AS_NOBODY = """
import os, sys
from pathlib import Path
from kit.errors import GuardError
from kit.guard.init import _written
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    with _written(Path(sys.argv[1]), "[pytest]\\n", "[pytest]\\nx = 1\\n"):
        raise AssertionError("it was written")
except GuardError as error:
    print(error)
"""


@pytest.mark.parametrize(("closed", "found"), [("pytest.ini", "cannot be written"), (".", "no file can be written in")])
def test_what_cannot_be_written_is_left(closed: str, found: str) -> None:
    """A file, or a folder, that the user may not write ends in one line, and is as it was."""
    with tempfile.TemporaryDirectory() as name:
        project = written_into(Path(name), {"pytest.ini": "[pytest]\n"})
        project.chmod(0o777)
        (project / "pytest.ini").chmod(0o666)
        (project / closed).chmod(0o555 if closed == "." else 0o444)
        before = files(project)
        command = [sys.executable, "-c", AS_NOBODY, str(project / "pytest.ini")]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert found in ended.stdout, ended.stderr
        assert "To do: make it writable." in ended.stdout
        assert ended.stdout.count("\n") == 1
        assert files(project) == before


@pytest.mark.parametrize("text", [b"[pytest]\nx = \xff\n", b"[pytest\nx\n"])
def test_what_pytest_cannot_read_is_left(text: bytes, project: Path) -> None:
    """A configuration that pytest itself cannot read is told in one line, and not touched."""
    (project / "pytest.ini").write_bytes(text)
    before = files(project)
    with pytest.raises(GuardError) as refused:
        init(project, ["test.db"], sys.executable)
    assert "\n" not in str(refused.value)
    assert files(project) == before
