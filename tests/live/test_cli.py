"""The commands that keep a pair, on a real pair of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

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
    """Return what a shell has after `eval "$(kit status --export)"`."""
    script = (
        f'eval "$({KIT} status --export)" && {sys.executable} -c "import json, os; print(json.dumps(dict(os.environ)))"'
    )
    answer = subprocess.run(["sh", "-c", script], env=environ, capture_output=True, text=True, check=True)
    return dict(json.loads(answer.stdout))


def test_a_pair_is_kept_until_it_is_ended(environ: dict[str, str]) -> None:
    """`kit up` leaves a pair running, a second one finds it, `kit down` ends it, and none of them shows a password."""
    first = kit(environ, "up")
    assert (first.returncode, first.stderr) == (0, "")
    assert [line.split()[0] for line in first.stdout.splitlines()[1:]] == ["production", "test"]
    assert kit(environ, "up").stdout == kit(environ, "status").stdout == first.stdout
    urls = exported(environ)
    passwords = {
        psycopg.conninfo.conninfo_to_dict(urls[f"KIT_{side}_URL"])["password"] for side in ("PRODUCTION", "TEST")
    }
    assert not any(password in first.stdout for password in passwords)
    down = kit(environ, "down")
    assert (down.returncode, down.stdout) == (0, "The pair is down.\n")
    assert kit(environ, "status").returncode == 1
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(urls["KIT_TEST_URL"])


def test_the_exported_urls_open_both_servers(environ: dict[str, str]) -> None:
    """The variables that `kit status --export` prints reach production with its sites, and the empty test database."""
    kit(environ, "up")
    urls = exported(environ)
    counts = {}
    for side in ("PRODUCTION", "TEST"):
        with psycopg.connect(urls[f"KIT_{side}_URL"]) as connection:
            counts[side] = connection.execute("select current_database(), count(*) from sites").fetchone()
        assert urls[f"{side}_DATABASE_URL"] == urls[f"KIT_{side}_URL"].replace("postgresql:", "postgresql+asyncpg:")
    assert counts == {"PRODUCTION": ("projectdb", 731), "TEST": ("testdb", 0)}


def test_another_pair_is_refused_while_one_is_up(environ: dict[str, str]) -> None:
    """`kit up` on other ports than those of the pair that is up is refused in one line, and exits with 2."""
    kit(environ, "up")
    answer = kit(environ, "up", "--port-production", "1024", "--port-test", "1025")
    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 1
    assert "kit down, then kit up" in answer.stderr


def test_lab_gives_its_kernels_the_pair_and_takes_it_down(environ: dict[str, str], tmp_path: Path) -> None:
    """A kernel started in `kit lab` has the URLs of a live pair, and the pair ends with JupyterLab."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "empty.ipynb").write_text(
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )
    options = ["--no-browser", "--IdentityProvider.token=open", "--ServerApp.port_retries=50"]
    with subprocess.Popen(
        [KIT, "lab", *options], cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    ) as lab:
        assert lab.stderr is not None
        url = next(word for line in lab.stderr for word in line.split() if word.startswith("http://127.0.0.1"))
        base = url.split("/lab")[0]
        kernel = json.load(urllib.request.urlopen(f"{base}/api/kernels?token=open", data=b"{}"))
        test_url = asked(tmp_path / "runtime" / f"kernel-{kernel['id']}.json", "KIT_TEST_URL")
        with psycopg.connect(test_url) as connection:
            assert connection.execute("select current_database()").fetchone() == ("testdb",)
        lab.send_signal(signal.SIGTERM)
        lab.stderr.read()
    assert lab.returncode == 0
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(test_url)


def asked(connection_file: Path, variable: str) -> str:
    """Return a variable of a running kernel's environment, asked of the kernel itself."""
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient(connection_file=str(connection_file))
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        expression = f"__import__('os').environ['{variable}']"
        reply = client.execute("", user_expressions={"it": expression}, reply=True, timeout=60)
        return str(reply["content"]["user_expressions"]["it"]["data"]["text/plain"]).strip("'")
    finally:
        client.stop_channels()
