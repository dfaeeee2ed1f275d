"""Slots are kept for the next trials of a process, and dropped at its end."""

from __future__ import annotations

import subprocess
import sys

from kit import idle_slots
from kit.pair import Pair
from kit.pair.embedded import open_embedded

FORK = """
import os
from kit import idle_slots
from kit.pair import open_pair
with open_pair("embedded") as pair:
    with idle_slots.slots(pair, 1) as (slot,):
        pass
    pid = os.fork()
    if pid == 0:
        assert idle_slots._idle == {}
        idle_slots.close()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    with idle_slots.slots(pair, 1) as (again,):
        assert again is slot
        again.reset()
    idle_slots.close()
"""


def test_a_slot_is_used_again(pair: Pair) -> None:
    """Who asks after another gets the same databases; two at a time get different ones."""
    with idle_slots.slots(pair, 2) as first:
        with idle_slots.slots(pair, 1) as meanwhile:
            assert meanwhile[0] not in first
    with idle_slots.slots(pair, 3) as later:
        assert {slot.test.database for slot in later} == {slot.test.database for slot in (*first, *meanwhile)}
    idle_slots.close()
    with idle_slots.slots(pair, 1) as new:
        assert new[0].test.database not in {slot.test.database for slot in later}
    idle_slots.close()


def test_the_slots_of_a_pair_that_has_gone_are_forgotten() -> None:
    """Databases of servers that are down need not be dropped, and nothing is said."""
    with open_embedded() as short_lived:
        with idle_slots.slots(short_lived, 1):
            pass
    idle_slots.close()


def test_a_fork_leaves_its_parents_slots_alone() -> None:
    """A process that was forked neither uses nor drops the slots of its parent."""
    ended = subprocess.run([sys.executable, "-W", "error", "-c", FORK], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
