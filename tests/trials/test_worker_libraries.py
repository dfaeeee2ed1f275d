"""What a warm parent imports ahead."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# Of the libraries only pytest and its plugins: the others are not rewritten, and take time.
IMPORT = "from kit.trials.worker import libraries; libraries.LIBRARIES = (); libraries.import_libraries()"


def test_libraries_are_imported_where_nothing_is_cached(tmp_path: Path) -> None:
    """A warm parent imports its libraries on a machine on which pytest has never rewritten a plugin."""
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    answer = subprocess.run([sys.executable, "-c", IMPORT], env=environ, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert list(tmp_path.rglob("*-pytest-*.pyc"))

ENTRY_POINTS = """
import importlib.metadata, os, sys
from pathlib import Path
from kit.trials.worker import libraries
libraries._remember_entry_points()
folder = Path(sys.argv[1]) / "sample-1.0.dist-info"
folder.mkdir()
(folder / "METADATA").write_text("Name: sample\\nVersion: 1.0\\n")
sys.path.insert(0, sys.argv[1])
file = folder / "entry_points.txt"
def names():
    return sorted(point.name for point in importlib.metadata.distribution("sample").entry_points)
seen = [names(), names()]
for text in ("[g]\\none = m\\n", "[g]\\ntwo = m\\n", "[g]\\nthree = m\\nfour = m\\n"):
    beside = folder / "new"
    beside.write_text(text)
    os.utime(beside, ns=(1, 1))
    beside.replace(file)
    seen += [names(), names()]
file.unlink()
print([*seen, names()])
"""


def test_entry_points_are_those_that_are_installed(tmp_path: Path) -> None:
    """Entry points that a warm parent has read are read again when their file was added, replaced or removed."""
    answer = subprocess.run(
        [sys.executable, "-c", ENTRY_POINTS, str(tmp_path)], capture_output=True, text=True, check=True
    )
    twice = [[], [], ["one"], ["one"], ["two"], ["two"], ["four", "three"], ["four", "three"]]
    assert answer.stdout.strip() == str([*twice, []])
