"""Shares of the tests at length are whole: each test is in one of them, and in no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lengths import is_at_length, share_of

ROOT = Path(__file__).parents[1]
FILE = "tests/diagnosing/test_true_proofs.py"
COLLECT = (sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:xdist", FILE)


def test_shares_are_alike_in_size() -> None:
    """Of many tests each share has about the same number, and a test stays in its own."""
    ids = [f"tests/test_it.py::test_{number}" for number in range(900)]
    shares = [share_of(one, 3) for one in ids]
    assert all(250 < shares.count(share) < 350 for share in (1, 2, 3))
    assert shares == [share_of(one, 3) for one in ids]


def collected(*options: str) -> set[str]:
    done = subprocess.run([*COLLECT, *options], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return {line for line in done.stdout.splitlines() if "::" in line}


def test_the_shares_together_are_all_tests() -> None:
    """What `--share` leaves out of one share is in another, and what is not at length is in each of them."""
    everything = collected()
    shares = [collected("--share", f"{share}/2") for share in (1, 2)]
    assert shares[0] | shares[1] == everything
    in_each = {test for test in everything if not is_at_length(test)}
    assert shares[0] & shares[1] == in_each
    assert in_each, "no test of this file is in each share: take a file that has one"
    assert all(shares[k] - in_each for k in (0, 1)), "one of the shares is empty: take a file with more tests"


@pytest.mark.parametrize("share", ["0/3", "4/3", "three", "1/0"])
def test_what_is_no_share_is_refused(share: str) -> None:
    """A wrong share is an error of the call, with what a right one looks like."""
    done = subprocess.run([*COLLECT, "--share", share], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 4
    assert f"{share} is no share: 2/3 is the second of three" in done.stderr
