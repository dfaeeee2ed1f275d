"""The commands that keep a pair, on a real pair of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.kit_notebooks.investigate.samples import HOLDS, write

ROOT = Path(__file__).parents[2]
KIT = str(Path(sys.executable).with_name("kit"))


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which no pair is up; one that a test leaves there is taken down."""
    state = tmp_path / "state"
    state.mkdir()
    found = {name: value for name, value in os.environ.items() if not name.startswith("KIT_")}
    found |= {"KIT_STATE_DIR": str(state), "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    yield found
    kit(found, "down")


def kit(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([KIT, *arguments], env=environ, capture_output=True, text=True)


def exported(environ: dict[str, str]) -> dict[str, str]:
    """Return the URLs that a shell has after `eval "$(kit status --export)"`, as the kit's own driver reads them."""
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    script = f'eval "$({KIT} status --export)" && {sys.executable} -c "{show}"'
    answer = subprocess.run(["sh", "-c", script], env=environ, capture_output=True, text=True, check=True)
    found = json.loads(answer.stdout)
    return {side: found[f"{side}_DATABASE_URL"].replace("+asyncpg:", ":") for side in ("PRODUCTION", "TEST")}


def test_a_pair_is_kept_until_it_is_ended(environ: dict[str, str], tmp_path: Path) -> None:
    """`kit up` leaves a pair running, other commands find it and say so, `kit down` ends it; none shows a password."""
    first = kit(environ, "up")
    assert (first.returncode, first.stderr) == (0, "")
    assert re.match(r"The pair is up \(embedded\), since [-0-9]{10} [0-9:]{5} UTC: kit up started it in ", first.stdout)
    assert first.stdout.splitlines()[0].endswith(f" {Path.cwd()}.")
    assert [line.split()[0] for line in first.stdout.splitlines()[1:]] == ["production", "test"]
    assert kit(environ, "up").stdout == kit(environ, "status").stdout == first.stdout
    urls = exported(environ)
    notebook = write(tmp_path, "01_holds", HOLDS)
    ran = kit(environ, "investigate", str(notebook), "--out", str(tmp_path / "runs"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[0] == f"{first.stdout.splitlines()[0]} All notebooks use it."
    passwords = {psycopg.conninfo.conninfo_to_dict(url)["password"] for url in urls.values()}
    assert not any(password in first.stdout for password in passwords)
    down = kit(environ, "down")
    assert (down.returncode, down.stdout) == (0, "The pair is down.\n")
    assert kit(environ, "status").returncode == 1
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(urls["TEST"])


def test_the_exported_urls_open_both_servers(environ: dict[str, str]) -> None:
    """The variables that `kit status --export` prints reach production with its sites, and the empty test database."""
    kit(environ, "up")
    urls = exported(environ)
    counts = {}
    for side, url in urls.items():
        with psycopg.connect(url) as connection:
            counts[side] = connection.execute("select current_database(), count(*) from sites").fetchone()
    assert counts == {"PRODUCTION": ("projectdb", 731), "TEST": ("testdb", 0)}


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "<&- >&-", ">/dev/full", ">/dev/full 2>/dev/full"])
def test_standard_streams_that_lead_nowhere(environ: dict[str, str], closed: str) -> None:
    """With streams closed or full the pair is kept and ended as ever; the exit code tells what could not be said."""
    up = subprocess.run(["sh", "-c", f"{KIT} up {closed}"], env=environ, stderr=subprocess.PIPE, text=True)
    full = "kit: cannot write to standard output: No space left on device. To do: "
    assert up.returncode == (2 if "full" in closed else 0)
    assert up.stderr.startswith(full if closed == ">/dev/full" else "")
    assert up.stderr.count("\n") == (closed == ">/dev/full")
    assert kit(environ, "status").returncode == 0
    state = json.loads(Path(environ["KIT_STATE_DIR"], "pair.json").read_text())
    watched = [psutil.Process(pid) for pid in (state["guard"], *state["pids"].values())]
    assert kit(environ, "down").stdout == "The pair is down.\n"
    assert psutil.wait_procs(watched, timeout=20)[1] == []


def test_another_pair_is_refused_while_one_is_up(environ: dict[str, str]) -> None:
    """`kit up` on other ports than those of the pair that is up is refused in one line, and exits with 2."""
    kit(environ, "up")
    answer = kit(environ, "up", "--port-production", "1024", "--port-test", "1025")
    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 1
    assert "kit down, then kit up" in answer.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda number: number.name)
def test_lab_has_the_pair_and_takes_it_down(environ: dict[str, str], tmp_path: Path, number: signal.Signals) -> None:
    """JupyterLab, whose environment its kernels inherit, has the URLs of a live pair; both end with the command, whose
    exit code is the signal's."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "empty.ipynb").write_text(
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )
    with lab_process(tmp_path, environ, number) as lab:
        assert lab.stderr is not None
        assert lab.stderr.readline() == f"Copied to {tmp_path / 'work'}: empty.\n"
        assert lab.stderr.readline().startswith("The pair is up (embedded), since ")
        assert any("is running at" in line for line in lab.stderr)
        (jupyterlab,) = [one for one in psutil.Process(lab.pid).children() if "KIT_TEST_URL" in one.environ()]
        assert str(tmp_path / "work") in jupyterlab.cmdline()
        test_url = jupyterlab.environ()["KIT_TEST_URL"]
        with psycopg.connect(test_url) as connection:
            assert connection.execute("select current_database()").fetchone() == ("testdb",)
    assert lab.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    assert psutil.wait_procs([jupyterlab], timeout=60)[1] == []
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(test_url)


@contextmanager
def lab_process(folder: Path, environ: dict[str, str], number: signal.Signals) -> Iterator[subprocess.Popen[str]]:
    """`kit lab`, told to end when the block is left, and then waited for."""
    lab = subprocess.Popen(
        [KIT, "lab", "--no-browser"],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with lab:
        try:
            yield lab
        finally:
            lab.send_signal(number)
            print(lab.stderr.read() if lab.stderr else "")
