from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from kit.evidence.model import Frame
from kit.typed import typed

KIT = Path(__file__).parents[1] / "kit"
# Threads take turns so often here that one meets the type half made nearly every time, where they may.
AT_ONCE = """
import sys, threading
from kit.evidence.model import Evidence
from {module} import {function} as read

sys.setswitchinterval(1e-6)
start = threading.Barrier(8)

def first():
    start.wait()
    read({{"trial": None, "processes": []}}, Evidence)

threads = [threading.Thread(target=first) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def at_once(module: str, function: str) -> int:
    """Read the first value of a type in many threads, in a new interpreter, and return its exit code."""
    program = AT_ONCE.format(module=module, function=function)
    return subprocess.run([sys.executable, "-c", program], cwd=KIT.parent, capture_output=True).returncode


def test_threads_may_read_the_first_value_of_a_type() -> None:
    """No thread meets a type that another one has only begun to work out."""
    assert {at_once("kit.typed", "typed") for _ in range(5)} == {0}


def test_nothing_reads_past_it() -> None:
    """All of the kit reads its values by this function."""
    users = {path.name for path in KIT.rglob("*.py") if "msgspec.convert" in path.read_text()}
    assert users == {"typed.py"}


def test_what_does_not_fit_is_refused() -> None:
    """A value of another shape is an error, the first time as later."""
    for _ in range(2):
        with pytest.raises(msgspec.ValidationError):
            typed({"file": 1}, Frame)
    assert typed({"file": "a.py", "line": 1, "function": "f", "library": None}, Frame).line == 1
