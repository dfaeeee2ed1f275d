"""Suites that others wrote, as far as this environment has them: tools/other_suites.py runs them, and more."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from kit import processes

TOOL = Path(__file__).parents[2] / "tools" / "other_suites.py"
OWN = f"cpython-{sys.version_info[0]}.{sys.version_info[1]}"
SHORT = ["installed/aiosqlite", "installed/tornado-processes", "installed/sqlalchemy-short", f"{OWN}/test_sqlite3"]
LONG = [
    "installed/tornado-asyncio", "installed/sqlalchemy-sqlite",
    *(f"{OWN}/test_{name}" for name in ("os", "threading", "subprocess", "unittest", "asyncio")),
]


def there(names: list[str]) -> list[str]:
    """Leave out what the interpreter came without: distributions take its own tests out."""
    modules = {name: name.partition("/")[2] for name in names if name.startswith(OWN)}
    return [name for name in names if name not in modules or importlib.util.find_spec(f"test.{modules[name]}")]


@pytest.mark.parametrize("suite", there(SHORT))
def test_every_outcome_is_the_same(suite: str, tmp_path: Path) -> None:
    """Traced and guarded, each test of a suite that others wrote comes to what it comes to without the kit."""
    compare(suite, tmp_path)


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("suite", there(LONG))
def test_every_outcome_of_a_long_suite_is_the_same(suite: str, tmp_path: Path) -> None:
    """The same of suites that take minutes."""
    compare(suite, tmp_path)


def compare(suite: str, folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, str(TOOL), "run", str(folder), suite, "--json", str(folder / "found.json")],
        capture_output=True, text=True,
    )
    (found,) = json.loads((folder / "found.json").read_text())
    assert (found["differ"], ended.returncode) == ({"traced": {}, "guarded": {}}, 0), ended.stdout + ended.stderr
    assert found["plain"].get("passed", 0) > 5


SEES = """\
import os, unittest

class Sees(unittest.TestCase):
    def test_the_same(self):
        pass

    def test_variables(self):
        assert not [name for name in os.environ if "PROBES" in name]
"""
RUN = """\
import sys
from pathlib import Path
import other_suites as tool

suite = tool.Suite("sees", interpreter=sys.executable, files=(("test_sees.py", sys.argv[2]),), arguments=())
sys.exit(tool.run(Path(sys.argv[1]), [suite], tool.MODES[1:], Path(sys.argv[1], "found.json")))
"""

LEAVES = """\
import subprocess, sys
waits = [sys.executable, "-c", "import signal; signal.pause()"]
child = subprocess.Popen(waits, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
open(sys.argv[1], "w").write(str(child.pid))
"""
END = """\
import os, sys
from pathlib import Path
import other_suites as tool

print(tool.ended_of([sys.executable, "-c", sys.argv[1], sys.argv[2]], Path.cwd(), os.environ, None))
"""


def test_what_a_suite_leaves_running_is_ended(tmp_path: Path) -> None:
    """A process that a suite started in a session of its own is gone when the run is over."""
    ended = subprocess.run(
        [sys.executable, "-c", END, LEAVES, str(tmp_path / "pid")], cwd=TOOL.parent, capture_output=True, text=True,
    )
    assert ended.stdout == "exit 0\n", ended.stderr
    assert not processes.runs(int((tmp_path / "pid").read_text()))


def test_a_difference_is_found(tmp_path: Path) -> None:
    """A suite with a test that sees the probes is red, and that test alone is named, with both outcomes."""
    ended = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path), SEES], cwd=TOOL.parent, capture_output=True, text=True,
    )
    (found,) = json.loads((tmp_path / "found.json").read_text())
    assert ended.returncode == 1, ended.stderr
    for mode in ("traced", "guarded"):
        test, end = found["differ"][mode]
        assert (test, end) == ("test_sees.py::Sees::test_variables", "(how the command ended)")
        assert f"    {mode}: {test}: {found['differ'][mode][test]['plain']} became failed / failed\n" in ended.stdout
