"""The gate refuses what its list does not name, and says in plain words what it did."""

from __future__ import annotations

from typing import Any, cast

import pytest

from kit.probes import quiet
from kit.probes.allow import AllowList
from kit.probes.databases import Databases
from kit.probes.gate import DatabaseRefused, Gate, allow_from, allow_text
from kit.probes.objects import Objects
from kit.probes.peers import Peer
from kit.probes.recorder import Recorder
from tests.allowed import FILES, SERVERS


def carried(entry: str) -> AllowList:
    """The list of one entry as a re-run of `kit diagnose`, or a process that the guard is carried into, has it."""
    found = allow_from(allow_text(AllowList([entry], "/srv/app")))
    assert found is not None
    return found.allow


@pytest.mark.parametrize(("entry", "configured", "observed", "peer", "allowed"), SERVERS)
def test_a_server_is_stopped_as_it_is_judged(
    entry: str, configured: str, observed: dict[str, str | None] | None, peer: Peer | None, allowed: bool
) -> None:
    """What the list does not name raises, and is told once; what it names goes through untold."""
    told: list[Any] = []
    gate = Gate(carried(entry), told.append)
    try:
        gate.server(configured, observed, None, peer)
    except DatabaseRefused:
        assert not allowed
    else:
        assert allowed
    assert len(told) == (not allowed)


@pytest.mark.parametrize(("entry", "path", "allowed"), FILES)
def test_a_file_is_stopped_as_it_is_judged(entry: str, path: str, allowed: bool) -> None:
    """A file that the list does not name raises, and is told once."""
    told: list[Any] = []
    gate = Gate(carried(entry), told.append)
    try:
        gate.file(path)
    except DatabaseRefused:
        assert not allowed
    else:
        assert allowed
    assert len(told) == (not allowed)


def test_a_connection_is_judged_also_where_nothing_can_be_written_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that fails, at first and from then on, lets no connection past the list."""
    class Broken:
        def event(self, *_: Any, **__: Any) -> None:
            raise ValueError("no record")

    for name, new in (("failures", {}), ("_switched_off", set())):
        monkeypatch.setattr(quiet, name, new)
    told: list[Any] = []
    databases = Databases(cast(Recorder, Broken()), Objects(), Gate(carried("db:5432/test"), told.append))
    for _ in range(2):
        with pytest.raises(DatabaseRefused):
            databases.opened(Broken(), "psycopg", "postgresql://me@db:5432/production", None, None, False)
    assert len(told) == 2
