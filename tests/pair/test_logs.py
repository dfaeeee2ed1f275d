"""Reading a server's log: entries whole, in any piece of the file, and no statement can forge one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kit.errors import PairError
from kit.pair import ServerLog
from kit.pair.logs import parse

WHO = "2026-01-02 03:04:05.678 UTC\t4711\tmy app\ttestuser\ttestdb\t"
NOBODY = "2026-01-02 03:04:05.600 UTC\t4711\t[unknown]\t[unknown]\t[unknown]\t"
RECEIVED = f"{NOBODY}LOG:  connection received: host=127.0.0.1 port=60964\n"
AUTHORIZED = f"{NOBODY}LOG:  connection authorized: user=testuser database=testdb application_name=my app\n"
STATEMENT = f"{WHO}LOG:  statement: select 1,\n\t\n\t\t2\n"
EXECUTE = f"{WHO}LOG:  execute __asyncpg_stmt_1__: select $1\n"
ERROR = f'{WHO}ERROR:  relation "x" does not exist at character 1\n{WHO}STATEMENT:  select *\n\tfrom x\n'
GONE = f"{WHO}LOG:  disconnection: session time: 0:00:00.008 user=testuser database=testdb host=127.0.0.1 port=1\n"
ALL = RECEIVED + AUTHORIZED + STATEMENT + EXECUTE + ERROR + GONE


def written(directory: Path, text: str) -> ServerLog:
    path = directory / "server.log"
    path.write_text(text)
    return ServerLog(path)


def test_every_kind_of_entry_is_known() -> None:
    """A session's life is read as received, let in, two statements, an error, and gone."""
    kinds = ["other", "connection", "statement", "statement", "error", "disconnection"]
    assert [line.kind for line in parse(ALL.encode())] == kinds


def test_an_entry_says_when_who_and_where() -> None:
    """Time is aware and in UTC; process, application, user and database are those of the session."""
    (line,) = parse(STATEMENT.encode())
    assert line.at == datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
    assert (line.pid, line.application, line.user, line.database) == (4711, "my app", "testuser", "testdb")


def test_a_statement_is_the_sql_alone() -> None:
    """Many lines come back as they were written, and a prepared statement loses its name."""
    many, prepared = parse((STATEMENT + EXECUTE).encode())
    assert many.text == "select 1,\n\n\t2"
    assert prepared.text == "select $1"


def test_an_error_keeps_the_statement_that_met_it() -> None:
    """The parts of a message that follow it belong to it."""
    (line,) = parse(ERROR.encode())
    assert line.text == 'ERROR:  relation "x" does not exist at character 1\nSTATEMENT:  select *\nfrom x'


def test_a_connection_knows_its_application_before_the_settings_are_in_force() -> None:
    """The name is taken from the message, where the prefix does not have it yet; what is unknown is empty."""
    received, authorized = parse((RECEIVED + AUTHORIZED).encode())
    assert authorized.application == "my app"
    assert (received.application, received.user, received.database) == ("", "", "")


def test_a_statement_cannot_forge_an_entry() -> None:
    """SQL that looks like another session's entry stays part of its own."""
    forged = f"{WHO}LOG:  statement: select 1;\n\t{GONE}".encode()
    (line,) = parse(forged)
    assert line.kind == "statement"
    assert "disconnection" in line.text


def test_two_pieces_hold_what_the_whole_holds(tmp_path: Path) -> None:
    """Wherever a log is cut, no entry is lost, doubled or shortened."""
    log = written(tmp_path, ALL)
    whole = log.read()
    assert [cut for cut in range(len(ALL)) if log.read(0, cut) + log.read(cut) != whole] == []


def test_a_log_that_is_gone_says_so(tmp_path: Path) -> None:
    """A missing log is an error that names it, for its position and its content alike."""
    log = ServerLog(tmp_path / "gone.log")
    for reading in (log.position, log.read):
        with pytest.raises(PairError, match=r"gone\.log: No such file"):
            reading()


def test_noise_is_left_out() -> None:
    """Lines of another form, such as a loader's complaint, are no entries and break none."""
    without_level = b"2026-01-02 03:04:05.678 UTC\t4711\tno more\n"
    for noise in (b"postgres: some warning\n", without_level):
        assert [line.kind for line in parse(noise + STATEMENT.encode())] == ["statement"]
