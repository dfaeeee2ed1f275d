"""Python processes that a test starts are seen too, whatever environment they are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.probes.seen import PYTEST, run

STARTED = {
    "child.py": "import sqlite3\nsqlite3.connect('child.db').execute('create table t (a)')\n",
    "test_it.py": """\
        import os, subprocess, sys

        def test_it():
            subprocess.run([sys.executable, "child.py"], check=True, env=ENVIRONMENT)
        """,
}


@pytest.mark.parametrize("environment", ["None", "{}", "{**os.environ, 'PYTHONPATH': '.'}"])
def test_a_process_with_an_environment_of_its_own_has_the_probes(tmp_path: Path, environment: str) -> None:
    """What it reaches is told, and belongs to the test in which it was started."""
    files = {**STARTED, "test_it.py": STARTED["test_it.py"].replace("ENVIRONMENT", environment)}
    seen = run(tmp_path, files, *PYTEST, "-q")
    opened = seen.one("connection", driver="sqlite3")
    assert (opened["test"], opened["phase"]) == ("test_it.py::test_it", "start")
    assert seen.places(opened)[0].startswith("child.py:2 ")


def test_what_is_no_environment_is_refused_as_before(tmp_path: Path) -> None:
    """Popen is given what it was called with, where that cannot be an environment."""
    program = """\
        import subprocess, sys

        try:
            subprocess.run([sys.executable, "-c", ""], env=7)
        except AttributeError as error:
            print(error)
        """
    without = run(tmp_path / "without", {"it.py": program}, "it.py", probes=False)
    assert run(tmp_path / "with", {"it.py": program}, "it.py").output == without.output
