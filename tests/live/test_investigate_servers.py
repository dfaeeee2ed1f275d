"""Servers that fail while a notebook runs: it is red with the server named, and every other notebook goes on."""

from __future__ import annotations

import json
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from kit.notebooks.investigate import investigate, places
from kit.notebooks.investigate.results import Investigation
from tests.kit_notebooks.investigate.samples import quiet, write

SETS_UP = """
import signal, psutil, psycopg, threading
from kit.notebooks.cells import claim, start
session = start()
def postmaster(side):
    with psycopg.connect(side.url()) as connection:
        return psutil.Process(connection.info.backend_pid).parent()
claim('before', 'Both are up.', expected=2, observed=len(session.pair.sides))
"""
RUNS_A_TRIAL = """
from kit.specimens.trial import Trial
from kit.evidence.verdict import isolation
(evidence,) = session.run([Trial(mechanisms=(), selection='individual', way='by_hand')])
claim('after', 'It holds.', expected='HOLDS', observed=isolation(evidence))
"""
FAULTS = {
    "stopped": ("postmaster(session.pair.production).send_signal(signal.SIGSTOP)", "production", "does not answer"),
    "killed": ("postmaster(session.pair.test).kill()", "test", "has died"),
    "guard": (  # the servers end with it, each in its own time
        "servers = [postmaster(side) for side in session.pair.sides]\nservers[0].parent().kill()\n"
        "[server.wait() for server in servers]", "production", "has died",
    ),
    "role": (
        "held = [psycopg.connect(session.pair.test.url()) for _ in range(200)]", "test", "took no more connections"
    ),
    "superuser": (  # whatever another one still gives back is taken, too
        "held, full, admin = [], threading.Event(), session.pair.test.admin\n"
        "def take():\n    while True:\n        try:\n            held.append(psycopg.connect(admin))\n"
        "        except psycopg.Error:\n            full.set()\n"
        "threading.Thread(target=take, daemon=True).start()\nfull.wait()", "test", "took no more connections",
    ),
}  # fmt: skip


def run(folder: Path, *faults: str, jobs: int = 1) -> Investigation:
    """A run of a notebook for each fault, and of one at the end in which nothing goes wrong."""
    notebooks = [write(folder, name, SETS_UP, FAULTS[name][0], RUNS_A_TRIAL) for name in faults]
    notebooks.append(write(folder, "well", SETS_UP, RUNS_A_TRIAL))
    return investigate(notebooks, out=folder / "runs", jobs=jobs, timeout_notebook_s=120, console=quiet())


def check(result: Investigation, *faults: str) -> None:
    """See that each notebook with a fault names the server, that the other one held, and that all is kept."""
    assert result.exit_code == 2
    found = {one.name: one for one in result.notebooks}
    for name in faults:
        _, side, what = FAULTS[name]
        assert found[name].status.value == "could not run"
        assert f"the server {side} (127.0.0.1:" in found[name].reason
        assert what in found[name].reason
        assert found[name].remedy != "correct the cell"
        assert [claim.held for claim in found[name].claims] == [True]
    assert found["well"].status.value == "held", found["well"].reason
    assert result.folder is not None
    kept = json.loads((result.folder / "claims.json").read_text())
    assert [one["status"] for one in kept["notebooks"]] == ["could not run"] * len(faults) + ["held"]
    assert len(xml.parse(result.folder / "junit.xml").getroot()) == len(faults) + 1
    index = (result.folder / "index.html").read_text()
    assert all(one.page in index and (result.folder / one.page).is_file() for one in result.notebooks)


@pytest.fixture(autouse=True)
def _no_pair_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each notebook has servers of its own: what is broken here is nobody else's."""
    monkeypatch.setattr(places, "_pair_that_is_there", lambda closing: None)


def test_a_server_that_dies_costs_its_own_notebook(tmp_path: Path) -> None:
    """The notebook is red with the side, what happened and what to do; the next one has other servers, and holds."""
    check(run(tmp_path, "killed"), "killed")


def test_servers_fail_in_every_way(tmp_path: Path) -> None:
    """Stopped, killed, without its supervisor, without connections for the role or anybody: each is one notebook's."""
    check(run(tmp_path, *FAULTS, jobs=2), *FAULTS)
