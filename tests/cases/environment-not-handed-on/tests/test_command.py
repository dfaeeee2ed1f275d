import os
import subprocess
import sys


def test_the_command_adds_a_site():
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    subprocess.run([sys.executable, "-m", "app.add", "east"], check=True, env=environment)  # <- culprit
