"""The servers' own logs of real sessions, by several drivers."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import psycopg
import pytest

from kit.pair import LogLine, Pair, ServerLog, Side
from kit.pair.connect import connect

MANY_LINES = "select 1 as one,\n\t'a\ttab' as two,\n\n  'LOG:  statement: forged' as three"


def log(side: Side) -> ServerLog:
    assert side.log is not None
    return ServerLog(side.log)


def by_psycopg(url: str, application: str, statement: str) -> int:
    with psycopg.connect(url, autocommit=True, application_name=application) as connection:
        connection.execute(statement.encode())
        return connection.info.backend_pid


def by_asyncpg(url: str, application: str, statement: str) -> int:
    async def ask() -> int:
        connection = await asyncpg.connect(url, server_settings={"application_name": application})
        try:
            await connection.fetch(statement)
            return int(connection.get_server_pid())
        finally:
            await connection.close()

    return asyncio.run(ask())


def session(side: Side, pid: int, start: int) -> list[LogLine]:
    """What a backend has written, once its end is there: a server logs that a moment after the client has gone."""
    lines: list[LogLine] = []
    while not any(line.kind == "disconnection" for line in lines):
        lines = [line for line in log(side).read(start) if line.pid == pid and line.kind != "other"]
    return lines


@pytest.mark.parametrize("ask", [by_psycopg, by_asyncpg])
def test_a_session_is_logged_from_its_beginning_to_its_end(pair: Pair, ask: Callable[[str, str, str], int]) -> None:
    """A server tells of a connection, its statements word for word, and its end, by application, process and time."""
    for side in pair.sides:
        application = f"witness {ask.__name__} é\t"
        start, before = log(side).position(), datetime.now(UTC)
        pid = ask(side.url(), application.strip(), MANY_LINES)
        after = datetime.now(UTC)
        lines = session(side, pid, start)
        assert lines[0].kind == "connection"
        assert lines[-1].kind == "disconnection"
        assert MANY_LINES in [line.text for line in lines if line.kind == "statement"]
        assert {(line.pid, line.database) for line in lines[1:]} == {(pid, side.database)}
        assert all(line.application.startswith(f"witness {ask.__name__}") for line in lines)
        for line in lines[:-1]:
            assert before - timedelta(milliseconds=1) <= line.at <= after


def test_a_statement_is_logged_before_its_answer(pair: Pair) -> None:
    """When a client has its answer, the log already has the statement, so that nothing need be waited for."""
    with connect(pair.test.url(), application="prompt") as connection:
        for number in range(50):
            start = log(pair.test).position()
            connection.execute(f"select {number} as at_once".encode())
            texts = [line.text for line in log(pair.test).read(start) if line.application == "prompt"]
            assert texts == [f"select {number} as at_once"]


def test_an_error_is_logged_with_its_statement(pair: Pair) -> None:
    """What a server refused is an error with the statement in it."""
    start = log(pair.test).position()
    with psycopg.connect(pair.test.url(), application_name="failing") as connection:
        pid = connection.info.backend_pid
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("select *\nfrom nowhere")
    (error,) = (line for line in session(pair.test, pid, start) if line.kind == "error")
    assert 'relation "nowhere" does not exist' in error.text
    assert "STATEMENT:  select *\nfrom nowhere" in error.text


def test_a_refused_connection_is_logged_as_an_error(pair: Pair) -> None:
    """Someone with a wrong password leaves an error and no connection."""
    start = log(pair.test).position()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(pair.test.url().replace(pair.test.password, "wrong"), application_name="intruder")
    lines = log(pair.test).read(start)
    refusals = [line for line in lines if line.kind == "error" and "authentication failed" in line.text]
    assert refusals[0].user == pair.test.user
    assert not [line for line in lines if line.kind == "connection" and line.application == "intruder"]


def test_parameters_are_not_logged(pair: Pair) -> None:
    """The values that go with a statement, which may be anybody's secrets, stay out of the log."""
    start = log(pair.test).position()
    with connect(pair.test.url(), application="discreet") as connection:
        connection.execute("select %s::text", ("hidden-value",))
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            connection.execute("select %s::text::int", ("hidden-value",))
    seen = [line.text for line in log(pair.test).read(start) if line.application == "discreet" and line.kind != "error"]
    assert "select $1::text" in seen
    assert not any("hidden-value" in text for text in seen)


def test_each_server_tells_of_its_own_sessions_only(pair: Pair) -> None:
    """A session on one side leaves nothing in the other side's log."""
    start = log(pair.production).position()
    by_psycopg(pair.test.url(), "here only", "select 1")
    assert not [line for line in log(pair.production).read(start) if line.application == "here only"]


def test_the_kits_own_sessions_say_so(pair: Pair) -> None:
    """Connections of the kit's have an application name by which they can be left out."""
    start = log(pair.test).position()
    with connect(pair.test.url()) as connection:
        pid = connection.info.backend_pid
        connection.execute("select 1")
    applications = {line.application for line in log(pair.test).read(start) if line.pid == pid and line.application}
    assert applications == {"kit-pair"}


def test_other_clients_are_logged_alike(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is not Python's at all is read just the same."""
    from kit.pair.binaries import find

    psql = find(None).directory / "psql"
    start = log(pair.test).position()
    monkeypatch.setenv("PGAPPNAME", "by hand")
    subprocess.run([psql, "-X", pair.test.url(), "-c", "select\n 2"], check=True, capture_output=True)
    lines = [line for line in log(pair.test).read(start) if line.application == "by hand"]
    assert "select\n 2" in [line.text for line in lines if line.kind == "statement"]
