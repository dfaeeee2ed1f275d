"""What goes wrong with a server is said so that a person can act on it."""

from __future__ import annotations

import os
import socket
import sys
import threading

import pytest

from kit.pair import faults
from kit.pair.faults import FAULTS, explain, tail

# As the programs of Postgres 15 and 18 put it.
SAID = {
    "shared memory segment left": "FATAL:  could not create shared memory segment: No space left on device\n"
    "DETAIL:  Failed system call was shmget(key=1, size=56, 03600).",
    "is too small": 'FATAL:  could not resize shared memory segment "/PostgreSQL.1" to 1048576 bytes: No space left',
    "data directory is full": 'initdb: error: could not write file "pg_wal/1": No space left on device',
    "port 5432 is taken": 'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use\n'
    "FATAL:  could not create any TCP/IP sockets",
    "port 80 requires more privileges": 'LOG:  could not bind IPv4 address "127.0.0.1": Permission denied\n'
    "FATAL:  could not create any TCP/IP sockets",
    "no server can listen": "FATAL:  could not create any TCP/IP sockets",
    "locale": "initdb: error: invalid locale settings; check LANG and LC_* environment variables",
    "refuses to run as root": '"root" execution of the PostgreSQL server is not permitted.',
    "user database": "initdb: error: could not look up effective user ID 4242: user does not exist",
    "lacks permission": 'FATAL:  could not open file "global/pg_control": Permission denied',
    "lack a library": "postgres: error while loading shared libraries: libicui18n.so.72: no such file",
    "unix sockets": 'FATAL:  could not create any Unix-domain sockets\nUnix-domain socket path "/x" is too long',
    "in use by another server": 'FATAL:  lock file "postmaster.pid" already exists',
}


@pytest.mark.parametrize(("meaning", "said"), SAID.items())
def test_a_fault_is_said_with_its_remedy(meaning: str, said: str) -> None:
    """Each fault is named in words, with the program's own and something to do."""
    error = explain("the server test did not start", said, port=80 if "port 80" in meaning else 5432)
    assert str(error).startswith("the server test did not start: ")
    assert meaning in error.found
    (fault,) = (fault for fault in FAULTS if fault.remedy == error.remedy)
    assert (tail(said) in error.found) == fault.quoted
    assert "\n" not in str(error)


def test_a_port_that_is_taken_says_by_what() -> None:
    """The program that listens is named with its number, and a PostgreSQL server as one."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]

        def answer() -> None:
            with stranger.accept()[0] as connection:
                connection.recv(8)
                connection.sendall(b"N")

        answers = threading.Thread(target=answer)
        answers.start()
        said = 'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use'
        error = explain("the server test did not start", said, port=port)
        answers.join()
    assert f"the port {port} is taken by a PostgreSQL server" in error.found
    assert f"process {os.getpid()})" in error.found


def test_every_fault_has_its_case() -> None:
    """No fault is on the list without the words that it was made for."""
    told = {explain("it", said, port=1).remedy for said in SAID.values()}
    assert told == {fault.remedy for fault in FAULTS}


def test_an_unknown_fault_shows_the_last_words() -> None:
    """What has no entry is shown as it was said, not guessed at."""
    error = explain("the server test did not start", "LOG:  starting\nPANIC:  the moon is full\n")
    assert error.found == "the server test did not start; it said: PANIC: the moon is full"


def test_silence_is_said_too() -> None:
    """A program that said nothing is reported as such."""
    assert "nothing" in explain("the server test did not start", "").found


def test_a_tail_is_short() -> None:
    """Of a long log only the last telling lines are shown."""
    assert tail("\n".join(f"ERROR:  {number}" for number in range(1000))).count("ERROR") == 6


def test_a_port_that_is_taken_says_so_without_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library that lists connections, which is in an extra, only the number is missing."""
    monkeypatch.setitem(sys.modules, "psutil", None)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        monkeypatch.setattr(faults, "_speaks_postgres", lambda port: False)
        said = 'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use'
        error = explain("the server test did not start", said, port=port)
    assert f"the port {port} is taken by another program" in error.found
    assert "(process" not in error.found
