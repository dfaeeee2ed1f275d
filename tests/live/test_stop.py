"""`--stop` with two live servers: the first run, too, is kept from what is not allowed, and the answer says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.answer.diagnosis import Effect, Status
from kit.pair import Pair, Side
from tests.live.relays import pooler
from tests.live.test_guard import TESTS, WAYS
from tests.projects import LIGHT, diagnosed, write

KIT = Path(__file__).parents[2]
MARK = b"a statement of the tests"


def said_since(side: Side, begun: int) -> bytes:
    """What a server has logged from there on."""
    assert side.log is not None
    with side.log.open("rb") as log:
        log.seek(begun)
        return log.read()


def begun(side: Side) -> int:
    assert side.log is not None
    return side.log.stat().st_size


def at(side: Side) -> str:
    return f"{side.host}:{side.port}/{side.database}"


@pytest.fixture(scope="module")
def stopped(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, object], bytes]:
    """What `kit trace --stop` printed and wrote of tests by six drivers, and what production logged meanwhile."""
    folder = write(tmp_path_factory.mktemp("stopped"), {"test_it.py": TESTS})
    before = begun(pair.production)
    environ = {**os.environ, "PYTHONPATH": str(KIT), "PRODUCTION": pair.production.url(), "TEST": pair.test.url()}
    done = subprocess.run(
        [sys.executable, "-m", "kit", "trace", "--stop", "--allow", at(pair.test), "--json", "answer.json", "--",
         sys.executable, "-m", "pytest", "-q", *LIGHT],
        cwd=folder, env=environ, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    answer = json.loads((folder / "answer.json").read_text())
    return done.stderr + done.stdout, answer, said_since(pair.production, before)


def test_the_forbidden_server_has_none_of_the_programs_statements(
    stopped: tuple[str, dict[str, object], bytes],
) -> None:
    """By each driver production is refused, and its own log has nothing of the tests'; the test database is used."""
    output, _, log = stopped
    assert MARK not in log
    assert f"{len(WAYS)} failed, {len(WAYS)} passed" in output


def test_each_refusal_is_a_fact_of_the_answer(stopped: tuple[str, dict[str, object], bytes], pair: Pair) -> None:
    """Which test asked for which database, and at which line; nothing of it is called not seen."""
    output, answer, _ = stopped
    refused: list[dict[str, object]] = answer["refused"]  # type: ignore[assignment]
    wanted = {f"test_it.py::test_reach[{way}-PRODUCTION]" for way in WAYS}
    assert (len(refused), {one["test"] for one in refused}) == (len(WAYS), wanted)
    assert {one["line"] for one in refused} == {14, 19, 23, 27, 32, 38}
    assert {one["allow"] for one in refused} == {at(pair.production)}
    assert answer["not_seen"] == []
    assert answer["guard"]["by"] == "--stop"  # type: ignore[index]
    assert "guarded (--stop)" in output
    assert f"{len(WAYS)} connections refused, in {len(WAYS)} tests. The outcomes of tests may differ" in output
    assert "Nothing wrong was found" not in output
    assert pair.production.password not in json.dumps(answer)


def test_the_engine_behind_a_refused_connection_is_named(stopped: tuple[str, dict[str, object], bytes]) -> None:
    """What SQLAlchemy was connecting is known by its engine, with where that was made, also under asyncio."""
    engines = {
        (opened["test"], opened["engine"] is not None)
        for database in stopped[1]["databases"] if database["allowed"] is False  # type: ignore[attr-defined]
        for opened in database["opened"]
    }  # fmt: skip
    for way in WAYS:
        assert (f"test_it.py::test_reach[{way}-PRODUCTION]", "engine" in way or way == "by_pool") in engines


def test_a_cause_is_proved_without_reaching_production(pair: Pair, tmp_path: Path) -> None:
    """`kit diagnose --stop` proves what leads to production, which no run of it has said anything to."""
    before = begun(pair.production)
    folder = write(tmp_path / "shop", {
        "shop.py": """
            import os, psycopg

            def ask():
                with psycopg.connect(os.environ["SHOP_URL"]) as connection:
                    return connection.execute("select 'a statement of the tests'").fetchone()
            """,
        "test_shop.py": """
            import os, psycopg, shop

            def test_own():
                psycopg.connect(os.environ["TEST_URL"]).close()

            def test_ask():
                assert shop.ask()
            """,
    })  # fmt: skip
    urls = {"SHOP_URL": pair.production.url(), "TEST_URL": pair.test.url()}
    first, diagnosis = diagnosed(folder, allow=(at(pair.test),), stop=True, **urls)
    assert [(stop.test, str(stop.opener)) for stop in first.stopped] == [("test_shop.py::test_ask", "shop.py:5 ask")]
    assert diagnosis.status is Status.PROVED
    assert diagnosis.happened.startswith("test_shop.py::test_ask tries to reach ")
    assert [(cause.kind, cause.line) for cause in diagnosis.causes] == [("variable-inherited", 5)]
    assert MARK not in said_since(pair.production, before)


def test_another_server_behind_an_entry_is_refused_in_the_runs_that_follow(pair: Pair, tmp_path: Path) -> None:
    """The runs of a diagnosis are held to the server that was behind an allowed place in its first run."""
    folder = write(tmp_path / "shop", {
        "test_shop.py": """
            import os, pathlib, sqlite3, psycopg

            def test_it():
                mark = pathlib.Path(os.environ["MARK"])
                exchanged = mark.exists()
                mark.touch()
                with psycopg.connect(os.environ["SECOND" if exchanged else "FIRST"]) as connection:
                    connection.execute("select 'a statement of the tests'")
                sqlite3.connect("production.db").close()
            """,
    })  # fmt: skip
    before = begun(pair.production)
    with pooler(pair) as (_, port):
        urls = {
            name: f"postgresql://{side.user}:{side.password}@127.0.0.1:{port}/postgres"
            for name, side in (("FIRST", pair.test), ("SECOND", pair.production))
        }
        mark = str(tmp_path / "ran")  # not in the project, whose files are put back between runs
        _, diagnosis = diagnosed(folder, allow=(f"127.0.0.1:{port}/postgres",), MARK=mark, **urls)
    assert [run.effect for run in diagnosis.runs] == [Effect.VOID]
    assert "another server answered there first" in diagnosis.runs[0].reason
    assert MARK not in said_since(pair.production, before)
