"""Notebooks and the live pair: how a kernel gets it, what it may leave open, and what it may not show."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import nbformat
import psycopg
import pytest

from kit.notebooks.investigate import investigate
from kit.notebooks.investigate.sessions import left_open
from kit.pair import Pair
from kit.pair.places import DATA_VARIABLE, STATE_VARIABLE
from kit.pair.slots import Slot, open_slots
from tests.kit_notebooks.investigate.samples import HOLDS, quiet, said, write

STARTS = "from kit.notebooks.cells import claim, start\nsession = start(seed=7)"
ASKS = """
import psycopg
seen = []
for side in session.pair.sides:
    with psycopg.connect(side.url()) as connection:
        seen.append(connection.execute("select current_database()").fetchone()[0])
claim('both', 'Both sides answer.', expected=['projectdb', 'testdb'], observed=seen)
"""


def test_a_run_gives_its_pair_to_the_kernel(pair: Pair, tmp_path: Path) -> None:
    """A notebook finds the pair in its environment, says which servers it has, and no password is in what is kept."""
    console = quiet()
    shows = "import os\nprint({name: value for name, value in os.environ.items() if name.startswith('KIT_')})"
    notebook = write(tmp_path, "01_a", STARTS, ASKS, shows)
    result = investigate([notebook], out=tmp_path / "runs", console=console)
    assert (result.exit_code, result.reason) == (0, "")
    texts = "".join(path.read_text() for path in (tmp_path / "runs").rglob("*") if path.is_file()) + said(console)
    assert f"server {pair.production.identity.system_identifier}" in texts
    assert [side.password for side in pair.sides if side.password in texts] == []
    assert "In [3] cell-3" in result.notebooks[0].outcome.secrets_in


def test_plain_papermill_uses_the_pair_that_is_up(pair: Pair, tmp_path: Path) -> None:
    """Without the kit's engine a notebook takes the pair that is up."""
    write(tmp_path, "sample", STARTS, ASKS)
    assert run_plainly(tmp_path, os.environ) == str(pair.production.identity.system_identifier)


def test_plain_papermill_brings_up_a_pair_of_its_own(tmp_path: Path) -> None:
    """With no pair up, a notebook in plain papermill starts one, which is gone when the notebook is over."""
    says = "import pathlib\npathlib.Path('port').write_text(str(session.pair.test.port))"
    write(tmp_path, "sample", STARTS, ASKS, says)
    run_plainly(tmp_path, {**os.environ, STATE_VARIABLE: str(tmp_path / "state")})
    probe = subprocess.run(
        [sys.executable, "-c", "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])))",
         (tmp_path / "port").read_text()],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "ConnectionRefusedError" in probe.stderr


def test_a_notebook_that_is_over_leaves_no_data(tmp_path: Path) -> None:
    """With the kit's engine, too, the data of a pair that the notebook started is gone when papermill has ended."""
    data = Path(tempfile.mkdtemp(prefix="kit-test-data-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    data.chmod(0o755)  # the servers' own user goes through it
    try:
        write(tmp_path, "sample", STARTS, ASKS)
        environ = {**os.environ, STATE_VARIABLE: str(tmp_path / "state"), DATA_VARIABLE: str(data)}
        run_plainly(tmp_path, environ, "--engine", "kit")
        assert list(data.iterdir()) == []
    finally:
        shutil.rmtree(data)


def run_plainly(folder: Path, environ: object, *options: str) -> str:
    """Run the sample by plain papermill; return the production server that its set-up line names."""
    done = subprocess.run(
        [sys.executable, "-m", "papermill", "sample.ipynb", "out.ipynb", "-k", "python3", "-l", "python", *options],
        cwd=folder, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    line = nbformat.read(folder / "out.ipynb", as_version=4).cells[0].outputs[0].text
    return str(line.split("server ")[1].split()[0])


@pytest.fixture
def slot(pair: Pair) -> Iterator[Slot]:
    """Databases of the test's own, where no other test has a session."""
    with open_slots(pair, 1) as (opened,):
        yield opened


def ask(url: str, options: str, asked: Any) -> None:
    """Run a statement that takes very long."""
    with psycopg.connect(url, application_name="client", options=options) as connection:
        connection.execute("lock table sites")
        asked.set()
        connection.execute("select pg_sleep(600)")


def killed_client(slot: Slot, options: str = "") -> None:
    """Start a client with a long statement, see that it does not count as left behind, and kill it."""
    spawn = get_context("spawn")
    asked = spawn.Event()
    client = spawn.Process(target=ask, args=(slot.test.url(), options, asked))
    client.start()
    assert asked.wait(60)
    assert left_open(slot, grace_s=0) == []
    client.kill()
    client.join()


def test_a_session_that_lost_its_client_is_told_and_ended(slot: Slot) -> None:
    """A statement that outlives its client is described with side, user, name and locks, and is ended."""
    killed_client(slot, "-c client_connection_check_interval=0")
    (line,) = left_open(slot, grace_s=0)
    assert line.startswith("test: session ")
    assert "of testuser (client), active" in line
    assert "locks: select pg_sleep(600)" in line
    until_gone(slot)


def until_gone(slot: Slot) -> None:
    """Return when no session is left in the slot."""
    assert slot.test.admin is not None
    with psycopg.connect(slot.test.admin, application_name="kit-tests", autocommit=True) as connection:
        question = "select 1 from pg_stat_activity where datname = %s and application_name not like 'kit-%%'"
        while connection.execute(question, (slot.test.database,)).fetchone():
            pass


def test_a_session_that_notices_by_itself_is_not_told(slot: Slot) -> None:
    """With the servers' own settings a statement ends soon after its client was killed, within the grace."""
    killed_client(slot)
    assert left_open(slot, grace_s=60) == []


def test_findings_name_the_stack(pair: Pair, tmp_path: Path) -> None:
    """What is kept says with which versions the trials ran."""
    result = investigate([write(tmp_path, "01_a", STARTS, HOLDS)], out=tmp_path / "runs", console=quiet())
    assert result.folder is not None
    stack = json.loads((result.folder / "claims.json").read_text())["stack"]
    assert stack.keys() >= {"name", "python", "fastapi", "sqlalchemy", "asyncpg", "pytest"}
