"""Slots are kept for the next trials of a process, and dropped at its end."""

from __future__ import annotations

import subprocess
import sys

from kit.pair import Pair
from kit.pair.embedded import open_embedded
from kit.trials import slot_pool

FORK = """
import os
from kit.trials import slot_pool
from kit.pair import open_pair
with open_pair("embedded") as pair:
    with slot_pool.slots(pair, 1) as (slot,):
        pass
    pid = os.fork()
    if pid == 0:
        assert slot_pool._idle == {}
        slot_pool.close()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    with slot_pool.slots(pair, 1) as (again,):
        assert again is slot
        again.reset()
    slot_pool.close()
"""


def test_a_slot_is_used_again(pair: Pair) -> None:
    """Who asks after another gets the same databases; two at a time get different ones."""
    with slot_pool.slots(pair, 2) as first:
        with slot_pool.slots(pair, 1) as meanwhile:
            assert meanwhile[0] not in first
    with slot_pool.slots(pair, 3) as later:
        assert {slot.test.database for slot in later} == {slot.test.database for slot in (*first, *meanwhile)}
    slot_pool.close()
    with slot_pool.slots(pair, 1) as new:
        assert new[0].test.database not in {slot.test.database for slot in later}
    slot_pool.close()


def test_the_slots_of_a_pair_that_has_gone_are_forgotten() -> None:
    """Databases of servers that are down need not be dropped, and nothing is said."""
    with open_embedded() as short_lived:
        with slot_pool.slots(short_lived, 1):
            pass
    slot_pool.close()


def test_a_fork_leaves_its_parents_slots_alone() -> None:
    """A process that was forked neither uses nor drops the slots of its parent."""
    ended = subprocess.run([sys.executable, "-W", "error", "-c", FORK], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
