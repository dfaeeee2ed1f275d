"""Servers that fail while a notebook runs: it is red with the server named, and every other notebook goes on."""

from __future__ import annotations

import json
import math
import time
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from kit.errors import PairError
from kit.notebooks.investigate import investigate, places
from kit.notebooks.investigate.results import Investigation
from kit.pair import embedded
from kit.pair.lending import ADDRESS_VARIABLE, PAIR, Asked
from kit.pair.run import Supervisor
from kit.trials.stacks import stack
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


HOLDS_WITHOUT = "from kit.notebooks.cells import claim\nclaim('one', 'One is one.', expected=1, observed=1)"
ASKS_IN_A_CHILD = """
import os, subprocess, sys
from kit.notebooks.cells import claim, start
ask = "from kit.pair import open_pair\\nwith open_pair() as pair: print(pair.test.identity.system_identifier)"
told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
claim('unset', 'Nothing names the pair before it is asked for.', expected=False, observed='KIT_TEST_URL' in os.environ)
session = start()
mine = session.pair.test.identity.system_identifier
claim('one-pair', 'A child and the kernel get one pair.', expected=mine, observed=told)
print({name: value for name, value in os.environ.items() if name.startswith('KIT_')})
print(session.pair.test.password, session.pair.production.password)
"""


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The supervisors of the pairs that are begun by this process."""
    found: list[object] = []
    really = places.Place._begun

    def begin(place: places.Place, supervisor: Supervisor) -> None:
        found.append(supervisor)
        really(place, supervisor)

    monkeypatch.setattr(places.Place, "_begun", begin)
    return found


def kept(folder: Path) -> str:
    """The texts of all that was kept, in one."""
    return "".join(path.read_text() for path in (folder / "runs").rglob("*") if path.is_file())


def test_notebooks_that_ask_for_no_server_start_none(tmp_path: Path, begun: list[object]) -> None:
    """Several notebooks that need no pair run in parallel without any; beside one that asks, one pair is started."""
    nones = [write(tmp_path, f"{number}_none", HOLDS_WITHOUT) for number in range(3)]
    assert investigate(nones, out=tmp_path / "runs", jobs=2, console=quiet()).exit_code == 0
    assert begun == []
    asks = write(tmp_path, "asks", SETS_UP, RUNS_A_TRIAL)
    result = investigate([*nones, asks], out=tmp_path / "runs", jobs=2, console=quiet())
    assert (result.exit_code, result.reason, len(begun)) == (0, "", 1)


def test_a_pair_is_lent_to_whoever_asks_first(tmp_path: Path, begun: list[object]) -> None:
    """A child of the kernel that asks first, and the kernel, get one pair, whose passwords are in nothing kept."""
    passwords: list[str] = []
    really = places.Place.close

    def close(place: places.Place) -> None:
        passwords.extend(password for told in place.told for url in told.values()
                         if (password := urlsplit(url).password if "://" in url else None))
        really(place)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(places.Place, "close", close)
        notebook = write(tmp_path, "01_a", ASKS_IN_A_CHILD)
        result = investigate([notebook], out=tmp_path / "runs", console=quiet(), log_output=True)
    assert (result.exit_code, result.reason, len(begun)) == (0, "", 1)
    assert len(set(passwords)) == 4
    assert "KIT_TEST_ADMIN_URL" in kept(tmp_path)
    assert [password for password in passwords if password in kept(tmp_path)] == []


def test_a_pair_that_cannot_come_up_costs_only_who_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a server does not start, a notebook that asks is red with its name; one that does not ask holds."""
    monkeypatch.setattr(embedded._Start, "is_ready", lambda start, side: side == "test")
    monkeypatch.setattr(embedded, "READY_S", 0.1)
    asks, well = write(tmp_path, "asks", SETS_UP), write(tmp_path, "well", HOLDS_WITHOUT)
    result = investigate([asks, well], out=tmp_path / "runs", jobs=1, console=quiet())
    assert result.exit_code == 2
    assert [one.status.value for one in result.notebooks] == ["could not run", "held"]
    assert "PairError: the server production was not ready" in result.reason


def test_the_limits_count_the_start_of_the_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that never get ready are ended at the limit of the cell that asked, and the notebook says that."""
    monkeypatch.setattr(embedded._Start, "is_ready", lambda start, side: False)
    asks, well = write(tmp_path, "asks", SETS_UP), write(tmp_path, "well", HOLDS_WITHOUT)
    result = investigate([asks, well], out=tmp_path / "runs", jobs=1, timeout_cell_s=10, console=quiet())
    assert [one.status.value for one in result.notebooks] == ["could not run", "held"]
    assert "the pair's servers had not started yet; " in result.reason
    assert "limit of 10 s" in result.reason
    assert result.seconds < embedded.READY_S


def test_a_place_that_is_closed_ends_a_pair_that_starts(monkeypatch: pytest.MonkeyPatch, begun: list[Any]) -> None:
    """Servers that never get ready, and what fills their data, end with their place; who asked for them is told."""
    monkeypatch.setattr(embedded._Start, "is_ready", lambda start, side: False)
    monkeypatch.setattr(embedded, "READY_S", math.inf)
    place = places.Place(stack("current"), own=True)
    asked = Asked(place.environ()[ADDRESS_VARIABLE], PAIR)
    while not begun or len(begun[0].pids) < 2:
        time.sleep(0.01)
    running = [psutil.Process(pid) for pid in begun[0].pids.values()]
    place.close()
    with pytest.raises(PairError, match="the run has ended"):
        asked.answer()
    assert [process for process in running if process.is_running()] == []
    assert not begun[0].directory.path.exists()


def test_a_server_that_dies_costs_its_own_notebook(tmp_path: Path) -> None:
    """The notebook is red with the side, what happened and what to do; the next one has other servers, and holds."""
    check(run(tmp_path, "killed"), "killed")


def test_servers_fail_in_every_way(tmp_path: Path) -> None:
    """Stopped, killed, without its supervisor, without connections for the role or anybody: each is one notebook's."""
    check(run(tmp_path, *FAULTS, jobs=2), *FAULTS)
