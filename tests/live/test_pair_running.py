"""A pair that is left running, found again, and taken down."""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from kit.errors import PairError
from kit.pair import Pair, ServerLog, check, down, open_pair, status, up
from kit.pair.connect import identify
from kit.pair.embedded import free_ports
from kit.pair.places import account, choose_data_base, state_file
from kit.workfolder import is_held


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A state of the test's own, and whatever it left running ended."""
    monkeypatch.setenv("KIT_STATE_DIR", str(tmp_path / "state"))
    yield
    down()


def command(program: str) -> str:
    """What another process, started and ended meanwhile, says of the pair."""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def postmaster(side: str) -> psutil.Process:
    return psutil.Process(json.loads(state_file().read_text())["pids"][side])


def test_without_a_pair_there_is_none() -> None:
    """Nothing is up at first, nothing is taken down, and asking makes no file."""
    assert status() is None
    assert down() is False
    assert not state_file().parent.exists()


def test_a_pair_outlives_the_command_that_started_it() -> None:
    """What one process left running is found by another, whole, and ended by a third."""
    url = command("from kit.pair import up; print(up().test.url())")
    assert identify(url).database == "testdb"
    found = status()
    assert found is not None
    assert found.test.url() == url
    assert found.test.log is not None
    directory = found.test.log.parent
    assert command("from kit.pair import down; print(down())") == "True"
    assert status() is None
    assert not directory.exists()
    with pytest.raises(PairError, match="nothing listens"):
        identify(url)


def test_a_pair_may_die_with_a_process_that_is_named() -> None:
    """With an owner the pair outlives its starter and ends with the owner."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        url = command(f"from kit.pair import up; print(up(owner={owner.pid}).test.url())")
        assert identify(url).database == "testdb"
        supervisor = psutil.Process(json.loads(state_file().read_text())["guard"])
        descriptor = os.pidfd_open(supervisor.pid) if sys.platform == "linux" else None
        owner.kill()
    if descriptor is None:
        supervisor.wait(20)
    else:
        assert select.select([descriptor], [], [], 20)[0]
        os.close(descriptor)
    assert status() is None


def test_up_twice_is_one_pair() -> None:
    """A second `up` gives the pair that is up, identities and passwords included."""
    assert up() == up()


def test_another_pair_than_the_one_that_is_up_is_refused() -> None:
    """Other ports or another kind than those that are up are an error that names what is up."""
    pair = up()
    first, second = free_ports(2)
    with pytest.raises(PairError, match=f"is up on the ports {pair.production.port} and {pair.test.port}"):
        up(ports=(first, second))
    with pytest.raises(PairError, match="Wanted: one of kind compose"):
        up("compose")
    assert up(ports=(pair.production.port, pair.test.port)) == pair


def test_the_state_file_is_for_its_owner_alone() -> None:
    """The file that holds passwords, and its directory, can be read by nobody else."""
    up()
    assert stat.S_IMODE(state_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(state_file().parent.stat().st_mode) == 0o700


def test_opening_takes_the_pair_that_is_up_and_leaves_it() -> None:
    """A context manager without wishes uses the running pair, and does not take it down."""
    pair = up()
    with open_pair() as opened:
        assert opened == pair
    assert status() == pair


def test_the_environment_comes_before_the_pair_that_is_up(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """URLs in the environment name the pair, though another is up."""
    running = up()
    for name, value in pair.environ().items():
        monkeypatch.setenv(name, value)
    with open_pair() as opened:
        assert opened.test.identity.server == pair.test.identity.server != running.test.identity.server
        assert (opened.kind, opened.writable) == (pair.kind, pair.writable)
        assert [side.admin for side in opened.sides] == [side.admin for side in pair.sides]
        assert [side.log for side in opened.sides] == [side.log for side in pair.sides]


@pytest.mark.parametrize("kind", ["embedded", None])
def test_a_pair_of_ones_own_is_had_when_asked_for(kind: str | None) -> None:
    """A kind or ports ask for another pair than the one that is up; without one up, that is what there is."""
    running = up() if kind else None
    with open_pair(kind="embedded" if kind else None) as own:
        assert running is None or own.test.identity.server != running.test.identity.server
    assert status() == running


@pytest.mark.parametrize("side", ["production", "test"])
def test_a_server_that_died_is_named(side: str) -> None:
    """When one server of the pair was killed, `status` says which and by what signal; `up` starts afresh."""
    pair = up()
    server = postmaster(side)
    os.kill(server.pid, signal.SIGKILL)
    server.wait(20)
    with pytest.raises(PairError, match=rf"the server {side} on 127.0.0.1:\d+ has died \(ended by") as raised:
        status()
    assert "(ended by signal 9)" in str(raised.value)
    assert "kit down" in raised.value.remedy
    assert "select" not in str(raised.value)  # what it was asked last is not why it died
    again = up()
    assert again.test.identity.server != pair.test.identity.server
    assert status() == again


def test_a_state_of_servers_long_gone_is_no_pair() -> None:
    """After a restart of the machine the file names a directory that nobody holds, and there is no pair."""
    up()
    kept = state_file().read_text()
    down()
    state_file().write_text(kept)
    assert status() is None
    assert up() is not None


def test_a_state_that_is_no_file_is_not_waited_for() -> None:
    """A FIFO in the place of the state file, which nobody writes to, is named at once, and `down` removes it."""
    state_file().parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(state_file())
    for command in (status, up):
        with pytest.raises(PairError, match="is damaged: it is not a regular file"):
            command()
    down()
    assert not state_file().exists()
    assert status() is None


def test_a_damaged_state_orphans_no_server() -> None:
    """However the state file is damaged, it is named, is not replaced, and `down` ends what is up and removes it."""
    up()
    whole = json.loads(state_file().read_text())
    directory = Path(whole["directory"])
    for content in [*damaged(whole), None]:
        if content is None:
            state_file().unlink()
        else:
            state_file().write_text(content)
            for command in (status, up):
                with pytest.raises(PairError, match=r"pair.json is damaged: .* To do: kit down") as raised:
                    command()
                assert "\n" not in str(raised.value)
    assert is_held(directory)
    assert down() is True
    assert not directory.exists()
    state_file().write_text("{")
    assert down() is True
    assert not state_file().exists()


def damaged(whole: dict[str, Any]) -> Iterator[str]:
    """States that are cut, of another kind, of a later version, or lack or forge one value."""
    text = json.dumps(whole)
    yield from ("", "{", "[]", "null", "1", '{"format": 1}', '{"format": 99}', text[: len(text) // 2], "[" * 200_000)
    for value in (None, [], {}, -1, "x", True):
        for key in ("kind", "writable", "sides", "directory", "guard", "pids", "format"):
            if type(value) is not type(whole[key]) or key in ("kind", "directory", "format", "sides", "pids"):
                yield json.dumps(whole | {key: value})
        sides = whole["sides"]
        for key in ("host", "port", "password", "identity", "log"):
            if type(value) is not type(sides["test"][key]) and (key, value) != ("log", None):
                yield json.dumps(whole | {"sides": sides | {"test": sides["test"] | {key: value}}})


def test_only_what_is_its_own_is_ended() -> None:
    """A state that names another's process as the supervisor, or another folder, ends and removes only the pair."""
    up()
    whole = json.loads(state_file().read_text())
    elsewhere = state_file().parent / "kit-pair-elsewhere"
    elsewhere.mkdir()
    (elsewhere / "lock").touch()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        pids = dict.fromkeys(whole["pids"], stranger.pid)
        state_file().write_text(json.dumps(whole | {"guard": stranger.pid, "pids": pids}))
        with pytest.raises(PairError, match="has died"):
            status()
        assert down() is True
        assert stranger.poll() is None
        assert not Path(whole["directory"]).exists()
        state_file().write_text(json.dumps(whole | {"directory": str(elsewhere), "guard": stranger.pid}))
        assert down() is True
        assert (stranger.poll(), elsewhere.exists()) == (None, True)
        stranger.communicate()


def test_a_state_that_cannot_be_written_leaves_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the state file cannot be written, what to do is said, and neither a server nor half a file is left."""
    data = Path(tempfile.mkdtemp(prefix="kit-tests-", dir=choose_data_base(account())))
    data.chmod(0o711)
    monkeypatch.setenv("KIT_DATA_DIR", str(data))
    in_the_way = state_file().with_name(f"pair.json.{os.getpid()}")
    in_the_way.mkdir(parents=True)
    with pytest.raises(PairError, match=r"cannot write .*pair.json: Is a directory. To do: set KIT_STATE_DIR"):
        up()
    assert list(data.iterdir()) == []
    assert {path.name for path in state_file().parent.iterdir()} == {"lock", in_the_way.name}
    data.rmdir()


def test_two_commands_at_once_start_one_pair() -> None:
    """Several `up` at the same moment end with one pair that all of them name."""
    program = "from kit.pair import up; print(up().test.url())"
    started = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert len({process.communicate()[0] for process in started}) == 1


def test_status_asks_cheaply() -> None:
    """The state of a running pair is told without a driver, and without a word to the servers."""
    running = up()
    assert running.test.log is not None
    log = ServerLog(running.test.log)
    before = log.position()
    program = "import sys; from kit.pair import status; print(status().kind, 'psycopg' in sys.modules)"
    assert command(program) == "embedded False"
    # The end of a session that `up` had may be written late; only a new one would be ours.
    assert {line.kind for line in log.read(before)} <= {"disconnection"}


def test_a_lost_connection_is_told_from_a_lost_server() -> None:
    """While both servers answer there is nothing to say; a killed one is named with the end of its log."""
    pair = up()
    with psycopg.connect(pair.test.url()) as connection:
        with psycopg.connect(pair.test.admin or "", autocommit=True) as admin:
            admin.execute("select pg_terminate_backend(%s)", (connection.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
        check(pair)
    server = postmaster("test")
    os.kill(server.pid, signal.SIGQUIT)
    server.wait(20)
    with pytest.raises(PairError, match=r"the server test on .* has died .*; the end of its log: received immediate"):
        check(pair)


def test_a_killed_backend_brings_the_server_back() -> None:
    """A backend that is killed makes its server close every connection and come back as the same server."""
    pair = up()
    assert pair.test.log is not None
    start = ServerLog(pair.test.log).position()
    with psycopg.connect(pair.test.url(), autocommit=True) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    while "database system is ready to accept connections" not in pair.test.log.read_bytes()[start:].decode():
        assert status() is not None
    assert identify(pair.test.url()).server == pair.test.identity.server
