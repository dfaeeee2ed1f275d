"""An audit hook of the program's own that raises: the program's connections are as without the probes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

KIT = Path(__file__).parents[2]
EVENTS = ["sys._getframe", "object.__getattr__", "open", "sys._current_frames"]
PROGRAM = """\
import sqlite3, sys

forbidden = []

def hook(event, arguments):
    if event in forbidden:
        raise RuntimeError(f"the program forbids {event}")

sys.addaudithook(hook)
forbidden.append(sys.argv[1])
try:
    connection = sqlite3.connect("shop.db")
    connection.execute("select 1")
    connection.cursor().execute("select 2")
    connection.close()
    print("it connects")
except Exception as error:
    print(type(error).__name__)
forbidden.clear()
"""


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize(
    ("options", "printed"),
    [
        ((), "it connects"),
        (("--stop", "--allow", "shop.db"), "it connects"),
        (("--stop", "--allow", "other.db"), "DatabaseRefused"),
    ],
)
def test_what_a_hook_forbids_changes_no_connection(
    tmp_path: Path, event: str, options: tuple[str, ...], printed: str
) -> None:
    """The probes do without what the hook forbids them; what is not allowed is refused all the same."""
    (tmp_path / "it.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "kit", "trace", *options, "--", sys.executable, "it.py", event], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(KIT)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[:1] == [printed], done.stdout + done.stderr
