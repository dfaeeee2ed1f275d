"""Directories of pairs: who holds one, and which of them are swept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.errors import PairError
from kit.pair import run
from kit.pair.run import RunDirectory, Supervisor, end_leftovers, runs_on, sweep
from kit.workfolder import is_held


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A place for data of the test's own."""
    monkeypatch.setenv("KIT_DATA_DIR", str(tmp_path))
    return tmp_path


def test_a_directory_is_held_until_its_last_holder_lets_go(base: Path) -> None:
    """The lock is the maker's until it releases it, and a held directory is not swept."""
    directory = RunDirectory.make(None)
    assert is_held(directory.path)
    assert sweep() == []
    directory.release()
    assert not is_held(directory.path)
    assert sweep() == [directory.path]
    assert list(base.iterdir()) == []


def test_the_supervisor_holds_the_directory_and_removes_it(base: Path) -> None:
    """A supervisor inherits the lock, and its orderly end leaves nothing behind."""
    directory = RunDirectory.make(None)
    supervisor = Supervisor(directory, None)
    directory.release()
    assert is_held(directory.path)
    assert sweep() == []
    supervisor.close()
    assert list(base.iterdir()) == []


def test_a_directory_that_is_half_removed_goes_at_once(base: Path) -> None:
    """One without a lock, as a killed supervisor leaves it, is not waited for."""
    directory = base / "kit-pair-half"
    (directory / "production").mkdir(parents=True)
    assert sweep() == [directory]
    assert list(base.iterdir()) == []


def test_only_the_kits_own_directories_are_swept(base: Path) -> None:
    """Other names and links are not touched, and neither is what a link points to."""
    other = base / "other"
    other.mkdir()
    (other / "lock").write_text("")
    (base / "kit-pair-link").symlink_to(other)
    assert sweep() == []
    assert (other / "lock").exists()


def test_a_directory_without_room_is_not_made(monkeypatch: pytest.MonkeyPatch, base: Path) -> None:
    """What the system refuses is said with its reason."""

    def refuse(path: Path, **settings: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(PairError, match="No space left on device"):
        RunDirectory.make(None)


def test_a_number_that_went_to_another_process_is_not_ended(tmp_path: Path) -> None:
    """A pid file that names a process which is no server of this directory ends nobody."""
    stranger = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    with stranger:
        (tmp_path / "test").mkdir()
        (tmp_path / "test" / "postmaster.pid").write_text(f"{stranger.pid}\n")
        assert not runs_on(stranger.pid, str(tmp_path / "test"))
        end_leftovers(tmp_path)
        assert stranger.poll() is None


def test_a_leftover_server_is_ended(tmp_path: Path) -> None:
    """A process that serves a left directory, found by its arguments, is ended with SIGQUIT."""
    data = tmp_path / "test"
    data.mkdir()
    # A shell has what it starts in the background ignore SIGQUIT, and that is inherited; a server has a handler.
    program = "import signal, sys; signal.signal(3, signal.SIG_DFL); print('up', flush=True); sys.stdin.read()"
    leftover = subprocess.Popen(
        [sys.executable, "-c", program, "-D", str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with leftover:
        assert leftover.stdout is not None
        leftover.stdout.readline()
        (data / "postmaster.pid").write_text(f"{leftover.pid}\n")
        end_leftovers(tmp_path)
        assert leftover.wait() == -3


def test_a_supervisor_that_is_gone_is_an_error(base: Path) -> None:
    """Orders to a killed supervisor raise, instead of waiting for an answer that cannot come."""
    directory = RunDirectory.make(None)
    supervisor = Supervisor(directory, None)
    directory.release()
    supervisor.process.kill()
    supervisor.process.wait()
    with pytest.raises(PairError, match="the supervisor of the servers has ended"):
        supervisor.listen(run.ANSWER_S)
    with pytest.raises(PairError, match="the supervisor of the servers has ended"):
        supervisor.stop("test")
    supervisor.close()
    assert list(base.iterdir()) == []


def test_a_program_that_cannot_be_executed_ends_with_its_reason(base: Path, tmp_path: Path) -> None:
    """A server that is none is told as an end, with the reason in its log."""
    directory = RunDirectory.make(None)
    supervisor = Supervisor(directory, None)
    directory.release()
    log = tmp_path / "log"
    supervisor.start("test", ["/nonexistent/postgres", "-D", str(tmp_path)], log, {})
    while "test" not in supervisor.ended:
        supervisor.listen(run.ANSWER_S)
    assert supervisor.ended == {"test": 127}
    assert log.read_text() == "could not execute /nonexistent/postgres: No such file or directory\n"
    supervisor.close()


def test_a_program_that_is_under_way_ends_before_its_directory_goes(base: Path) -> None:
    """What still writes, with all that it has started, is ended by the supervisor, and the directory is gone."""
    directory = RunDirectory.make(None)
    supervisor = Supervisor(directory, None)
    directory.release()
    begun = directory.path / "begun"
    os.mkfifo(begun)
    writing = f"i=0; echo up >> {begun}; while :; do i=$((i+1)); mkdir -p {directory.path}/d$i; done"
    supervisor.run("writer", ["/bin/sh", "-c", f"({writing}) & wait"], {"PATH": os.defpath})
    with begun.open() as pipe:
        assert pipe.readline() == "up\n"
    supervisor.close()
    assert list(base.iterdir()) == []


def test_a_program_has_its_input_and_its_end(base: Path, tmp_path: Path) -> None:
    """It reads the file that is named, writes to the log, and its status is told; one without its input has failed."""
    directory = RunDirectory.make(None)
    supervisor = Supervisor(directory, None)
    directory.release()
    (tmp_path / "in").write_text("words")
    (tmp_path / "out").touch()
    for name, given in (("cat", tmp_path / "in"), ("none", tmp_path / "missing")):
        supervisor.run(name, ["/bin/sh", "-c", "cat; exit 3"], {"PATH": os.defpath}, log=tmp_path / "out", given=given)
    assert supervisor.wait_for("cat", "none", timeout_s=run.ANSWER_S)
    assert supervisor.ended == {"cat": 3, "none": 127}
    assert (tmp_path / "out").read_text() == "words"
    supervisor.close()


def test_whoever_has_the_directory_ends_the_supervisor(base: Path) -> None:
    """A word into the pipe of the directory ends servers and supervisor, without a process number."""
    directory = RunDirectory.make(None)
    supervisor = Supervisor(directory, None)
    directory.release()
    while not (directory.path / "end").exists():
        supervisor.listen(0.01)
    supervisor.detach()
    with (directory.path / "end").open("w") as pipe:
        pipe.write("end\n")
    os.waitpid(supervisor.process.pid, 0)
    assert list(base.iterdir()) == []


END_OF_A_SUPERVISOR = """
import os, sys
from kit.pair.supervisor import Supervisor
removed = []
sys.addaudithook(lambda event, args: removed.append(args[0]) if event in ("os.remove", "os.rmdir") else None)
Supervisor(sys.argv[1], os.getpid(), None).close()
print(*map(os.path.basename, removed))
"""


def test_the_lock_goes_last(base: Path) -> None:
    """A directory that is being removed can be told from one that is gone: its lock goes after everything else."""
    directory = RunDirectory.make(None)
    for name in ("production", "test"):
        (directory.path / name).mkdir()
        (directory.path / name / "file").touch()
        (directory.path / f"{name}.log").touch()
    (directory.path / "link").symlink_to(base)
    command = [sys.executable, "-c", END_OF_A_SUPERVISOR, str(directory.path)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    directory.release()
    assert answer.stdout.split()[-2:] == ["lock", directory.path.name]
    assert list(base.iterdir()) == []
