from __future__ import annotations

import math
import subprocess
import sys

import pytest

from kit.investigate import processes
from tests.investigate.samples import living

PARENT = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(600)\n"
)


@pytest.mark.timeout(20)  # which is what says no
def test_what_was_killed_is_not_waited_for_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child whose stopped parent cannot take note of its death is dead all the same: without a limit, it ends."""
    monkeypatch.setattr(processes, "END_S", math.inf)
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, start_new_session=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            processes.end(parent.pid, "no process carries this")
            parent.wait()
            assert living([parent.pid, child]) == []
        finally:
            parent.kill()
