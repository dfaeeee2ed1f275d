"""What a program starts and no probe sees is written down, with where it leads; what has no database in it is not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.probes.seen import run

PSQL = "psql -h 10.1.2.3 -p 6543 orders"
WAYS = {
    "by its words": f"subprocess.run({PSQL.split()!r})",
    "by a shell": f"subprocess.run('PGUSER=me {PSQL} -c \"select 1\" | cat', shell=True)",
    "by os.system": f"os.system('{PSQL}')",
    "by env": f"subprocess.run(['env', '-i', *{PSQL.split()!r}])",
    "by variables": "os.environ.update(PGHOST='10.1.2.3', PGPORT='6543', PGDATABASE='orders'); os.system('psql')",
}
PYTHONS = {
    "env -i": f"subprocess.run(['env', '-i', {sys.executable!r}, '-c', 'pass'])",
    "env -u": f"subprocess.run(['sh', '-c', 'env -i {sys.executable} -c 1; exit 0'])",
    "an option behind a shell": f"os.system('{sys.executable} -I -c 1')",
}
NOTHING = {
    "git and ls": "subprocess.run(['git', '--version']); subprocess.run('ls / | wc -l', shell=True)",
    "a client's version": "subprocess.run(['psql', '--version']); os.system('pg_dump -V')",
    "a Python behind a shell": f"os.system('{sys.executable} -c 1')",
    "a Python behind env": f"subprocess.run(['env', 'A=b', {sys.executable!r}, '-c', '1'])",
    "a client that is not there": "os.environ['PATH'] = '/nowhere'; os.system('psql orders')",
    "a database in memory": "subprocess.run(['sqlite3', ':memory:', 'select 1'])",
}


@pytest.fixture
def clients(tmp_path: Path) -> str:
    """Programs that are called like the clients, and do nothing."""
    for name in ("psql", "pg_dump", "sqlite3"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\nexit 0\n")
        program.chmod(0o755)
    return f"{tmp_path / 'bin'}:/usr/bin:/bin"


def not_seen(folder: Path, code: str, path: str) -> list[dict[str, object]]:
    files = {"main.py": f"import os, subprocess\n{code}\n"}
    seen = run(folder, files, "main.py", environ={"PATH": path})
    return [event for event in seen.of("not_seen")]


@pytest.mark.parametrize("way", WAYS)
def test_where_a_client_leads_is_written_down(way: str, tmp_path: Path, clients: str) -> None:
    """A native client is named with its server and database, however it was started."""
    (event,) = not_seen(tmp_path, WAYS[way], clients)
    assert (event["what"], event["name"]) == ("client", "psql")
    assert str(event["asked"]).endswith("10.1.2.3:6543/orders")


def test_a_rerun_stops_a_client_at_what_is_not_allowed(tmp_path: Path, clients: str) -> None:
    """Where there is an allow-list, a client that leads off it is not started, and one that leads to it is."""
    code = """
        import subprocess
        subprocess.run(["psql", "-h", "db.test", "orders"], check=True)
        print("started", flush=True)
        subprocess.run("psql -h db.internal orders", shell=True)
    """
    allow = json.dumps({"allow": ["db.test:5432/orders"], "base": str(tmp_path)})
    environ = {"PATH": clients, "ISOLATION_PROBES_ALLOW": allow}
    seen = run(tmp_path, {"main.py": code}, "main.py", environ=environ, expect=1)
    assert seen.output == "started\n"
    assert "DatabaseRefused" in seen.errors
    assert seen.one("refusal")["database"] == "postgresql://db.internal:5432/orders"


@pytest.mark.parametrize("way", PYTHONS)
def test_a_python_that_takes_no_probes_in_is_written_down(way: str, tmp_path: Path, clients: str) -> None:
    """A Python behind another program that takes the variables away, or behind an option, is no secret."""
    (event,) = not_seen(tmp_path, PYTHONS[way], clients)
    assert event["what"] == "child"
    assert str(event["name"]).startswith("python")


@pytest.mark.parametrize("way", NOTHING)
def test_what_hides_no_database_is_not_written_down(way: str, tmp_path: Path, clients: str) -> None:
    """Programs of every day, clients that only say their version, and Pythons with probes alarm nobody."""
    assert not_seen(tmp_path, NOTHING[way], clients) == []
