"""Commands that are ended at drawn moments leave nothing; KIT_SOAK_MOMENTS and tools/soak_kills.py do it at length."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "soak_kills.py"
MOMENTS = os.environ.get("KIT_SOAK_MOMENTS", "2")


def test_a_start_ended_at_any_moment_leaves_nothing() -> None:
    """After each end of `kit up` no process runs, and the next start finds nothing that it cannot remove."""
    command = [sys.executable, str(TOOL), "--moments", MOMENTS, "--seed", str(secrets.randbelow(10_000))]
    command += ["--commands", "up", "--signals", "SIGKILL", "SIGTERM"]
    answer = subprocess.run(command, capture_output=True, text=True)
    tallies = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [tally["signal"] for tally in tallies] == ["SIGKILL", "SIGTERM"], answer.stderr
    assert [tally["left"] for tally in tallies] == [{}, {}], command
    assert answer.returncode == 0
