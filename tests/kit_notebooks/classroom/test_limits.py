"""A class that the machine cannot carry is refused before anything starts, with what would fit."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from kit.errors import ClassError
from kit.notebooks.classroom import limits
from kit.notebooks.classroom.limits import DATA_MB, SEAT_MB, available_mb, ports, require_memory


def test_seats_that_do_not_fit_into_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how much is needed, how much there is, and how many seats fit."""
    monkeypatch.setattr(limits, "available_mb", lambda: 5 * SEAT_MB + 1)
    require_memory(5)
    with pytest.raises(ClassError, match=r"6 seats need .* MB of memory.*To do: --seats 5\."):
        require_memory(6)
    monkeypatch.setattr(limits, "available_mb", lambda: SEAT_MB - 1)
    with pytest.raises(ClassError, match="use another machine"):
        require_memory(1)


def test_servers_whose_data_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the data of the servers go must have space for all of them."""
    monkeypatch.setattr(limits, "available_mb", lambda: 1_000_000)
    monkeypatch.setattr(limits, "free_mb", lambda _: 3 * DATA_MB)
    require_memory(3)
    with pytest.raises(ClassError, match=r"the servers of 4 seats need .* MB, and .*--seats 3, or set KIT_DATA_DIR"):
        require_memory(4)


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With less memory in the container than in the machine, the container's counts; without a limit, the machine's."""
    monkeypatch.setattr(limits, "_CGROUP", tmp_path)
    (tmp_path / "memory.current").write_text("50000000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert available_mb() > 50
    (tmp_path / "memory.max").write_text("92000000\n")
    assert available_mb() == 42


def test_ports_follow_the_first() -> None:
    """Each seat has its own port: from the first on, or any free ones; one that is taken or too high is named."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        taken = one.getsockname()[1]
        with pytest.raises(ClassError, match=f"the port {taken} is taken"):
            ports(2, taken - 1)
    assert list(ports(1, taken)) == [taken]
    assert len(set(ports(5, None))) == 5
    with pytest.raises(ClassError, match=r"the port 65536.*--port 65534"):
        ports(2, 65535)
