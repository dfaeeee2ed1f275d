"""A diagnosis calls a suite clean only where no database can hide in what was not seen; really run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kit.answer.diagnosis import Status
from tests.projects import diagnosed, write

SUITE = """
import os, sqlite3, subprocess, sys

def test_own():
    sqlite3.connect("test.db").execute("select 1")

def test_other():
    {}
"""
HIDING = {
    "a native client": ("subprocess.run(['psql', '-h', 'db.internal', 'orders'], check=True)", "psql"),
    "a client in a shell": ("subprocess.run('psql -h db.internal orders', shell=True, check=True)", "psql"),
    "a Python with -I": (f"subprocess.run([{sys.executable!r}, '-I', '-c', 'pass'], check=True)", "python"),
    "a Python behind env -i": (f"subprocess.run(['env', '-i', {sys.executable!r}, '-c', '1'], check=True)", "python"),
    "a record that was damaged": (
        "open(max(os.scandir(os.environ['ISOLATION_PROBES_DIR']), key=os.path.getsize), 'a').write('mine')",
        "not written by the probes",
    ),
}
KILLED = f"""
    child = subprocess.Popen([{sys.executable!r}, '-c', 'print(1, flush=True); input()'], stdin=-1, stdout=-1)
    with child:
        child.stdout.readline()
        child.kill()
"""
CLEAN = {
    "git and ls": "subprocess.run(['git', '--version'], check=True); subprocess.run('ls', shell=True, check=True)",
    "a client's version": "subprocess.run(['psql', '--version'], check=True)",
    "a client on a test database": "subprocess.run(['psql', '-h', 'db.test', 'test_orders'], check=True)",
    "a Python": f"subprocess.run([{sys.executable!r}, '-c', 'pass'], check=True)",
    "a process that is killed": KILLED,
}
ALLOW = ("test.db", "db.test:5432/test_*")


def project(folder: Path, code: str) -> Path:
    write(folder, {"test_it.py": SUITE.replace("{}", code), "bin/psql": "#!/bin/sh\nexit 0\n"})
    (folder / "bin" / "psql").chmod(0o755)
    return folder


@pytest.mark.parametrize("name", HIDING)
def test_what_can_hide_a_database_leaves_a_suite_unresolved(name: str, tmp_path: Path) -> None:
    """The diagnosis is UNRESOLVED, names what was not seen, and says what to do."""
    code, named = HIDING[name]
    _, diagnosis = diagnosed(project(tmp_path, code), allow=ALLOW, PATH=f"{tmp_path}/bin:/usr/bin:/bin")
    assert diagnosis.status is Status.UNRESOLVED
    (said,) = diagnosis.unproved
    assert named in said
    assert "test_it.py:" in said or named == "not written by the probes"
    assert "To do: " in said


@pytest.mark.parametrize("name", CLEAN)
def test_what_hides_no_database_leaves_a_suite_clean(name: str, tmp_path: Path) -> None:
    """Programs of every day, and Pythons that took the probes in, are no reason for doubt."""
    first, diagnosis = diagnosed(project(tmp_path, CLEAN[name]), allow=ALLOW, PATH=f"{tmp_path}/bin:/usr/bin:/bin")
    assert diagnosis.status is Status.CLEAN, [str(gap) for gap in first.not_seen]


def test_a_run_that_skips_every_test_is_not_called_clean(tmp_path: Path) -> None:
    """No test ran and no database was reached: nothing can be concluded."""
    files = {"test_shop.py": "import pytest\n\n@pytest.mark.skip\ndef test_orders(): pass\n"}
    _, diagnosis = diagnosed(write(tmp_path, files), allow=["test.db"])
    assert diagnosis.status is Status.UNRESOLVED
    assert "nothing can be concluded" in diagnosis.happened
