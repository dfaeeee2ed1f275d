"""Secrets are planted wherever one can come in; not a byte that the kit writes or shows has one, killed or not."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

KIT = Path(__file__).parents[2]
PLANTED = [f"Mk{number:02d}/Zq'x W-7" if number % 3 == 0 else f"Mk{number:02d}-ZqxW7" for number in range(40)]
CORES = [secret[:4] for secret in PLANTED]  # what is left of each, however it is quoted
SUITE = {
    ".env": "DB_PASSWORD={0}\nSHOP_TOKEN={1}\nREPORT_URL=postgresql://u:{2}@127.0.0.1:1/report\n",
    "conftest.py": """\
        import os, pathlib, shutil, signal, sqlite3, subprocess, sys, urllib.parse
        import pytest
        from dotenv import load_dotenv

        load_dotenv(pathlib.Path(__file__).with_name(".env"))
        os.environ["LATE_DATABASE_URL"] = "postgresql://u:" + urllib.parse.quote({3!r}, safe="") + "@127.0.0.1:1/late"
        os.environ["LATE_DB_PASS"] = {4!r}

        def kill(moment):
            if os.environ.get("KILL_AT") == moment:
                os.kill(int(os.environ["KIT_PID"]), signal.SIGKILL)

        kill("import")

        def pytest_addoption(parser):
            parser.addoption("--db-url")
            parser.addoption("--db-pass")

        def pytest_collection_finish():
            kill("collected")

        def pytest_sessionfinish():
            subprocess.run([sys.executable, "-c", "import sqlite3; sqlite3.connect('child.db')", "--password", {5!r}])
            print({6!r}, os.environ.get("LATE_DB_PASS"), os.environ.get("DATABASE_URL"), file=sys.stdout)
            into = pathlib.Path(os.environ["SEEN_ON_THE_WAY"])
            shutil.copytree(os.environ["TMPDIR"], into / str(os.getpid()), ignore_dangling_symlinks=True)
            kill("end")
        """,
    "settings.py": """\
        import os
        from dataclasses import dataclass
        from sqlalchemy.engine import URL

        @dataclass
        class Settings:
            password: str = {7!r}
            dsn: str = "host=127.0.0.1 port=1 dbname=x user=u password={8}"
            quoted: str = "host=127.0.0.1 port=1 dbname=x user=u password='it\\\\'s {10}'"
            query: str = "postgresql://u@127.0.0.1:1/x?password={11}&sslpassword={13}"

        made = URL.create("postgresql+psycopg", "u", {14!r}, "127.0.0.1", 1, "made")
        """,
    "test_it.py": """\
        import json, os, sqlite3, threading
        import asyncio
        import pytest
        from settings import Settings, made

        settings = Settings()

        def reached(password):
            sqlite3.connect(f"shop-{{password}}.db").execute("create table if not exists t (x)")

        def test_reaches(request):
            sqlite3.connect("prod.db").execute("create table if not exists t (x)")
            reached(os.environ["SHOP_TOKEN"])

        @pytest.mark.parametrize("url", ["postgresql://u:{16}@127.0.0.1:1/x", "host=h password={17}"])
        def test_ids(url):
            sqlite3.connect("prod.db").execute("select 1")

        @pytest.mark.parametrize("password", [{27!r}])
        def test_login(password):
            sqlite3.connect("prod.db").execute("select 1")

        def test_repr():
            sqlite3.connect("prod.db").execute("select 1")
            raise RuntimeError(f"{{settings!r}} {{vars(settings)}} {{json.dumps(vars(settings))}}")

        def test_drivers():
            import psycopg
            from sqlalchemy import create_engine
            for connect in (
                lambda: psycopg.connect(settings.dsn), lambda: psycopg.connect(settings.quoted),
                lambda: psycopg.connect(settings.query),
                lambda: psycopg.connect(host="127.0.0.1", port=1, user="u", password={19!r}, dbname="kw"),
                lambda: create_engine(made).connect(),
                lambda: create_engine("postgresql+psycopg://u@127.0.0.1:1/args",
                                      connect_args={{"password": {20!r}}}).connect(),
            ):
                with pytest.raises(Exception):
                    connect()

        def test_statements():
            with sqlite3.connect("prod.db") as connection:
                for said in ("create role x login password '{22}'", "alter user x identified by '{23}'"):
                    with pytest.raises(sqlite3.Error):
                        connection.execute(said)
                connection.execute("select ?", [{25!r}])

        def test_threads():
            thread = threading.Thread(target=reached, args=(os.environ["DB_PASS"],), name="password={28}")
            thread.start()
            thread.join()
        """,
}
VARIABLES = {
    "DATABASE_URL": "postgresql://u:{29}@127.0.0.1:1/main", "PGPASSWORD": "{31}", "DB_PASS": "{32}",
    "MY_API_KEY": "{34}", "DSN": "host=h password='{35}'",
}  # fmt: skip
START = "import os; os.environ['KIT_PID'] = str(os.getpid()); from kit.cli import main; main()"
ARGUMENTS = ("--db-url", "postgresql://u:{37}@127.0.0.1:1/x", "--db-pass", "{38}")


def suite(folder: Path) -> None:
    """Write the suite, with a secret in each place of it."""
    for name, text in SUITE.items():
        (folder / name).write_text(textwrap.dedent(text).format(*PLANTED))


def run(folder: Path, *command: str, kill_at: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run the kit on the suite with secrets in its variables and arguments, and all that it writes in `folder`."""
    (folder / "temporary").mkdir(exist_ok=True)
    (folder / "on the way").mkdir(exist_ok=True)
    variables = {name: value.format(*PLANTED) for name, value in VARIABLES.items()}
    own = {"TMPDIR": str(folder / "temporary"), "SEEN_ON_THE_WAY": str(folder / "on the way"), "KILL_AT": kill_at}
    pytest = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(a.format(*PLANTED) for a in ARGUMENTS))
    return subprocess.run(
        [sys.executable, "-c", START, *command, "--", *pytest],
        cwd=folder / "suite", env={**os.environ, **variables, **own, "PYTHONPATH": str(KIT)}, capture_output=True,
        timeout=240, check=False,
    )  # fmt: skip


def left(*places: Path | bytes) -> list[str]:
    """Return which secrets are in files of folders, in their names, or in what was shown."""
    texts = []
    for place in places:
        if isinstance(place, bytes):
            texts.append(place)
        else:
            assert any(place.rglob("*"))
            texts += [path.read_bytes() for path in place.rglob("*") if path.is_file()]
    return [core for core in CORES if any(core.encode() in text for text in texts)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "suite").mkdir()
    (tmp_path / "answers").mkdir()
    suite(tmp_path / "suite")
    return tmp_path


@pytest.mark.parametrize("format", ["text", "github"])
def test_a_trace_shows_and_writes_no_secret(folder: Path, format: str) -> None:
    """Neither the answer, its JSON, its page nor what lies in the folder for temporary files meanwhile has one."""
    answers = folder / "answers"
    done = run(
        folder, "trace", "--allow", "postgresql://u:{8}@h/x".format(*PLANTED), "--format", format,
        "--json", str(answers / "it.json"), "--html", str(answers / "it.html"),
    )  # fmt: skip
    assert b"prod.db" in done.stderr
    assert left(answers, folder / "on the way", done.stderr) == []


def test_a_diagnosis_shows_and_writes_no_secret(folder: Path) -> None:
    """Its runs, their values and their changes leave none either, and what the tests print is the kit's to hide."""
    answers = folder / "answers"
    done = run(
        folder, "diagnose", "--allow", "other.db", "--yes", "--json", str(answers / "it.json"),
        "--html", str(answers / "it.html"),
    )  # fmt: skip
    assert b"run 1:" in done.stderr
    assert left(answers, folder / "on the way", done.stdout, done.stderr) == []
    assert list((folder / "temporary").glob("kit-*")) == []


@pytest.mark.parametrize("moment", ["import", "collected", "end"])
def test_a_diagnosis_that_is_killed_leaves_no_secret(folder: Path, moment: str) -> None:
    """After SIGKILL nothing that stays behind can be read by anybody."""
    done = run(folder, "diagnose", "--allow", "other.db", "--yes", kill_at=moment)
    assert done.returncode == -9
    assert any((folder / "temporary").rglob("*"))
    assert left(folder / "temporary", done.stdout, done.stderr) == []


def test_a_command_that_cannot_be_started_is_told_without_its_secrets(tmp_path: Path) -> None:
    """The error names the command; what was to be given to it is not shown."""
    for words in (["no-such-postgresql://u:Mk01-ZqxW7@h/x"], ["no-such", "--password", "Mk01-ZqxW7"]):
        done = subprocess.run(
            [sys.executable, "-m", "kit", "trace", "--", *words], cwd=tmp_path, capture_output=True, check=False,
            env={**os.environ, "PYTHONPATH": str(KIT)},
        )  # fmt: skip
        assert done.returncode != 0
        assert b"Mk01" not in done.stderr
