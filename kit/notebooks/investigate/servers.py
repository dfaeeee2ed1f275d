"""Diagnose a pair's servers, from a connection and from their logs: which side, what happened, what to do."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from kit.errors import PairError

if TYPE_CHECKING:
    from kit.pair import Pair, Side

APPLICATION = "kit-investigate"
FULL_BYTES = 1_000_000
"""A data directory with less room than this is full: not even a connection can be opened there any more."""

_RUN_AGAIN = "run it again; each run starts servers of its own"
_REMEDIES = {"embedded": _RUN_AGAIN, "compose": "kit down, then kit up", "external": "check that this server runs"}
_MORE_ROOM = "free some space there, or set KIT_DATA_DIR to a directory with enough space"
_FEWER = "end what holds its connections, or let the role and the server have more"
# Patterns in a server's log with their meaning and remedy; searched only after a notebook has failed.
_IN_LOG = (
    (r"No space left on device|Disk quota exceeded", "has no room left", _MORE_ROOM),
    (r"too many (clients|connections)|remaining connection slots", "took no more connections", _FEWER),
    (r"out of (shared )?memory", "had no memory left", "give the machine more, or run fewer notebooks (--jobs)"),
    (r"terminated by signal|crash of another server process|^PANIC", "crashed", _RUN_AGAIN),
    (r"the database system is (shutting down|in recovery|starting up)", "was ended or crashed", _RUN_AGAIN),
)


def trouble(pair: Pair) -> PairError | None:
    """Return the fault of the first server of a pair that does not work; None if both do."""
    return next((found for side in pair.sides if (found := _fault_of(pair, side)) is not None), None)


def positions(pair: Pair) -> dict[str, int]:
    """Return the present end of each server's readable log, in bytes."""
    found: dict[str, int] = {}
    for side in pair.sides:
        if side.log is not None and side.log.exists():
            found[side.name] = side.log.stat().st_size
    return found


def in_logs(pair: Pair, since: Mapping[str, int]) -> PairError | None:
    """Return the first fault of a server in the logs since these positions; None if there is none."""
    return next((found for side in pair.sides for found in _in_log(side, since.get(side.name))), None)


def _fault_of(pair: Pair, side: Side) -> PairError | None:
    from kit.pair.connect import connect

    if side.log is not None and side.log.parent.is_dir() and shutil.disk_usage(side.log.parent).free < FULL_BYTES:
        return PairError(f"{_named(side)} has no room left in {side.log.parent}", remedy=_MORE_ROOM)
    try:
        with connect(side.url(), application=APPLICATION) as connection:
            connection.execute("select 1")
    except Exception as error:  # any error, of the driver or of ours, means that the server does not work
        return _explained(pair, side, " ".join(str(error).split()))
    return None


def _explained(pair: Pair, side: Side, said: str) -> PairError:
    if re.search(r"too many|remaining connection slots", said):
        return PairError(f"{_named(side)} takes no more connections ({said})", remedy=_FEWER)
    if "nothing listens" in said:
        return PairError(f"{_named(side)} has died: nothing listens there", remedy=_REMEDIES[pair.kind])
    if "timeout" in said:
        remedy = "check whether its processes are stopped (kill -CONT), or the machine is overloaded"
        return PairError(f"{_named(side)} does not answer: it may have been stopped", remedy=remedy)
    return PairError(f"{_named(side)} does not serve ({said})", remedy=_REMEDIES[pair.kind])


def _in_log(side: Side, start: int | None) -> Iterator[PairError]:
    from kit.pair import ServerLog

    if side.log is None or start is None or not side.log.exists():
        return
    for line in ServerLog(side.log).read(start):
        for pattern, what, remedy in _IN_LOG if line.kind in ("error", "other") else ():
            said = line.text.partition("\n")[0]
            if re.search(pattern, said):
                yield PairError(f"{_named(side)} {what} (its log: {said[:300]})", remedy=remedy)


def _named(side: Side) -> str:
    return f"the server {side.name} ({side.host}:{side.port})"
