"""What the README shows is run as it stands there, block by block, on a pair of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The others set up or use the project itself; tests/test_documented.py names the test of each.
ELSEWHERE = ("make ", "conda ")
FAILS = "# fails"
STUDIED = Path("kit", "specimens", "project")


def blocks() -> list[list[str]]:
    shown = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    return [block.splitlines() for block in shown if not block.startswith(ELSEWHERE)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with what the commands use, so that nothing is left in the project's own."""
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    hidden = shutil.ignore_patterns("__pycache__", ".pytest_cache")
    shutil.copytree(ROOT / STUDIED, tmp_path / STUDIED, ignore=hidden)
    return tmp_path


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with the kit on its PATH, in which no pair is up; one that is left there is taken down."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("KIT_")}
    found |= {"KIT_STATE_DIR": str(tmp_path / "state"), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    yield found
    subprocess.run(["kit", "down"], env=found, capture_output=True)


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block[0])
def test_a_block_does_what_it_says(block: list[str], project: Path, environ: dict[str, str]) -> None:
    """Each command of a block of the README succeeds in the shell of those before it; one marked as failing fails."""
    mark = "exit code of"
    script = "\n".join(f"{line}\necho '{mark}' $?" for line in block)
    answer = subprocess.run(["bash", "-c", script], cwd=project, env=environ, capture_output=True, text=True)
    codes = [int(code) for code in re.findall(rf"^{mark} (\d+)$", answer.stdout, flags=re.MULTILINE)]
    assert [code != 0 for code in codes] == [FAILS in line for line in block], answer.stdout + answer.stderr


def test_the_suite_by_hand_is_shown_productions_sites(project: Path, environ: dict[str, str]) -> None:
    """By hand, as the README has it, the one test passes and the suite fails with the 731 sites of production."""
    (block,) = [block for block in blocks() if any("::test_get_sites_empty" in line for line in block)]
    answer = subprocess.run(
        ["bash", "-c", "\n".join(block)], cwd=project, env=environ, capture_output=True, text=True, check=True
    )
    alone, suite = answer.stdout.split("test session starts")[1:]
    assert "1 passed" in alone
    assert "731" in suite
    assert "FAILED tests/test_api_sites.py::test_get_sites_empty" in suite
