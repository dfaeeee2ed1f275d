"""Where host, port and name of a server come from variables of their own, the one that differs is the cause."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kit.answer.diagnosis import Status
from kit.pair import Pair
from tests.projects import PYTEST, diagnosed, write

STORE = """
    import psycopg

    def count():
        with psycopg.connect("dbname=postgres") as connection:
            return connection.execute("select 1").fetchone()[0]
"""
TESTS = """
    from store import count

    def test_count():
        assert count() == 1
"""


@pytest.fixture
def environ(pair: Pair, tmp_path: Path) -> dict[str, str]:
    """What lets one user into both servers, and the servers' ports as TEST and PRODUCTION."""
    found = {"PGHOST": "127.0.0.1", "PGPASSFILE": str(tmp_path / "pgpass")}
    lines = []
    for name, side in (("TEST", pair.test), ("PRODUCTION", pair.production)):
        assert side.admin is not None
        parts = urlsplit(side.admin)
        found |= {name: str(parts.port), "PGUSER": parts.username or ""}
        lines.append(f"127.0.0.1:{parts.port}:*:*:{parts.password}\n")
    (tmp_path / "pgpass").write_text("".join(lines))
    (tmp_path / "pgpass").chmod(0o600)
    return found


def test_the_line_that_exports_the_port_is_named(tmp_path: Path, environ: dict[str, str]) -> None:
    """A script exports the port, so that the tests' own is not taken; host and name are the same on both servers."""
    project = write(tmp_path / "project", {
        "store.py": STORE,
        "tests/conftest.py": "import os\nos.environ.setdefault('PGPORT', os.environ['TEST'])\n",
        "tests/test_store.py": TESTS,
        "run_tests.sh": f'#!/bin/sh\n# CI\nexport PGPORT=$PRODUCTION\nexec {" ".join(PYTEST)}\n',
    })  # fmt: skip
    first, diagnosis = diagnosed(
        project, command=("sh", "run_tests.sh"), allow=[f"127.0.0.1:{environ['TEST']}/postgres"], **environ
    )
    assert diagnosis.status is Status.PROVED
    (cause,) = diagnosis.causes
    assert (cause.kind, cause.changed) == ("variable-inherited", f"with PGPORT set to {environ['TEST']}")
    assert "because run_tests.sh:3 exports PGPORT" in diagnosis.happened
    assert "no-separate-test-db" not in {finding.kind for finding in first.findings}


def test_a_part_that_is_the_same_on_both_servers_is_no_cause(tmp_path: Path, environ: dict[str, str]) -> None:
    """The tests misspell the port's variable: that is the one cause, and the host, which they do not set, is none."""
    project = write(tmp_path / "project", {
        "store.py": f"""
            import os, psycopg
            HOST = os.environ.get("DB_HOST", "127.0.0.1")
            PORT = os.environ.get("DB_PORT", "{environ['PRODUCTION']}")

            def count():
                with psycopg.connect(host=HOST, port=PORT, dbname="postgres") as connection:
                    return connection.execute("select 1").fetchone()[0]
        """,
        "tests/conftest.py": "import os\nos.environ['DB_PORTT'] = os.environ['TEST']\n",
        "tests/test_store.py": TESTS,
    })  # fmt: skip
    _, diagnosis = diagnosed(project, allow=[f"127.0.0.1:{environ['TEST']}/postgres"], **environ)
    assert diagnosis.status is Status.PROVED
    assert [(cause.kind, cause.file, cause.line) for cause in diagnosis.causes] == [
        ("variable-not-asked-for", "tests/conftest.py", 2)
    ]


def test_a_part_over_the_tests_own_file_is_named_where_it_is_read(tmp_path: Path, environ: dict[str, str]) -> None:
    """The shell's port goes before that of the dotenv file; what is read elsewhere and equal to a part is no cause."""
    project = write(tmp_path / "project", {
        "store.py": """
            import os, psycopg
            for line in open(".env.test"):
                name, _, value = line.strip().partition("=")
                os.environ.setdefault(name, value)
            PLACE = {"host": os.environ["STORE_HOST"],
                     "port": os.environ["STORE_PORT"]}

            def count():
                with psycopg.connect(**PLACE, dbname="postgres") as connection:
                    return connection.execute("select 1").fetchone()[0]
        """,
        ".env.test": f"STORE_HOST=127.0.0.1\nSTORE_PORT={environ['TEST']}\n",
        "tests/test_store.py": TESTS,
    })  # fmt: skip
    mine = {"STORE_PORT": environ["PRODUCTION"], "OTHER_PORT": environ["PRODUCTION"]}
    _, diagnosis = diagnosed(project, allow=[f"127.0.0.1:{environ['TEST']}/postgres"], **environ, **mine)
    assert diagnosis.status is Status.PROVED
    (cause,) = diagnosis.causes
    assert (cause.changed, cause.file, cause.line) == (f"with STORE_PORT set to {environ['TEST']}", "store.py", 7)
    assert "the environment of the command sets STORE_PORT" in diagnosis.happened
