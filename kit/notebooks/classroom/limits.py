"""What a class needs of the machine, and whether it is there: memory, space for data, ports."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from kit.errors import ClassError
from kit.pair.embedded import HOST, free_ports
from kit.pair.places import DATA_VARIABLE, account, choose_data_base, free_mb

SEAT_MB = 650
"""Memory of one seat at work: JupyterLab, one kernel with a notebook's trials, and its pair with its data."""
DATA_MB = 130
"""Space that the data of one seat's pair take."""
_PORTS = 65_535
_CGROUP = Path("/sys/fs/cgroup")


def require_memory(seats: int) -> None:
    """Raise ClassError unless there is memory, and space for data, for so many seats."""
    found = available_mb()
    if found < seats * SEAT_MB:
        raise ClassError(
            f"{seats} seats need {seats * SEAT_MB:,} MB of memory, and {found:,} MB are available",
            remedy=f"--seats {found // SEAT_MB}" if found >= SEAT_MB else "end other programs, or use another machine",
        )
    base = choose_data_base(account())
    if (space := free_mb(base)) < seats * DATA_MB:
        raise ClassError(
            f"the servers of {seats} seats need {seats * DATA_MB:,} MB, and {base} has {space:,} MB free",
            remedy=f"--seats {space // DATA_MB}, or set {DATA_VARIABLE} to a directory with enough space",
        )


def available_mb() -> int:
    """The memory that programs can still take, in MB: the machine's, or less in a container with a limit."""
    import psutil

    found = psutil.virtual_memory().available
    with suppress(OSError, ValueError):  # no limit ("max"), or no container
        limit, used = (int((_CGROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        found = min(found, limit - used)
    return int(max(found, 0)) // 1_000_000


def ports(seats: int, first: int | None) -> Sequence[int]:
    """The port of each seat: free ones, or those from `first` on. Raises ClassError for one that is taken."""
    if first is None:
        return free_ports(seats)
    wanted = range(first, first + seats)
    if wanted[-1] > _PORTS:
        raise ClassError(
            f"the last of {seats} seats would have the port {wanted[-1]}", wanted=f"ports up to {_PORTS}",
            remedy=f"--port {_PORTS - seats + 1}, or a lower one",
        )
    if (taken := next((port for port in wanted if not _is_free(port)), None)) is not None:
        raise ClassError(
            f"the port {taken} is taken by another program", wanted=f"the ports {wanted[0]} to {wanted[-1]}",
            remedy="--port with another first port, or leave it out for free ones",
        )
    return wanted


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port of a class that has just ended is free
        try:
            one.bind((HOST, port))
        except OSError:
            return False
    return True
