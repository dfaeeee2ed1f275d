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
