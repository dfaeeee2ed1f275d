"""A process ends with everything below it, asked first where it may be, and whoever waits is not kept longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from kit import processes

MARK = f"KIT_TEST_MARK={os.getpid()}"
WAITS = "import signal; print(flush=True); signal.pause()"
# Tells its own number and those of what it has started, and waits.
PARENT = """
import os, signal, subprocess, sys
WAITS = "import signal; {deaf}print(flush=True); signal.pause()"
def start(**options):
    child = subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE, **options)
    child.stdout.readline()
    return child.pid
def orphan(**options):
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, str(start(**options)).encode())
        os._exit(0)
    os.wait()
    return int(os.read(reading, 20))
started = {started}
print(os.getpid(), *started, flush=True)
signal.pause()
"""
STARTED = {
    "a child": "[start()]",
    "a child in a session of its own": "[start(start_new_session=True)]",
    "an orphan in its group": "[orphan()]",
    "an orphan in a session of its own, by the mark": "[orphan(start_new_session=True)]",
    "all of them": "[start(), start(start_new_session=True), orphan(), orphan(start_new_session=True)]",
}
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); "


@contextmanager
def running(started: str, deaf: str = "") -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A parent with what it has started, all of them with the mark; none of them is left behind by the test."""
    name, _, value = MARK.partition("=")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(started=started, deaf=deaf)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, name: value}, start_new_session=True,
    )  # fmt: skip
    assert parent.stdout is not None
    with parent:
        found = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        try:
            yield parent, found
        finally:
            for one in found:
                with suppress(psutil.NoSuchProcess):
                    one.kill()


def living(found: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in found if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(params=["woken by the system", "by looking"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of waiting: the second is that of a kernel without pidfd_open."""
    if request.param == "by looking":

        def missing(pid: int) -> int:
            raise OSError(38, "Function not implemented")

        monkeypatch.setattr(os, "pidfd_open", missing, raising=False)


@pytest.mark.parametrize("started", STARTED.values(), ids=STARTED)
@pytest.mark.usefixtures("way")
def test_all_that_was_started_is_gone_when_the_call_returns(started: str) -> None:
    """Children, what has left the group, and orphans end with the one that started them."""
    with running(started) as (parent, found):
        assert len(living(found)) == len(found)
        processes.end(parent.pid, MARK)
        assert living(found) == []
        assert parent.wait() == -signal.SIGKILL


@pytest.mark.parametrize("name", ["a child in a session of its own", "an orphan in its group"])
def test_what_has_no_mark_is_known_by_descent_and_by_its_group(name: str) -> None:
    """A child that has left its group descends from the leader, an orphan that has not is in the leader's."""
    with running(STARTED[name]) as (parent, found):
        processes.end(parent.pid)
        assert living(found) == []


def test_what_a_leader_that_is_gone_has_left_in_its_group_ends() -> None:
    """An orphan and what it has started end by the number of their group alone."""
    with running("[orphan()]") as (parent, found):
        parent.kill()
        parent.wait()
        processes.end(parent.pid)
        assert living(found) == []


def test_the_mark_alone_finds_what_a_leader_that_is_gone_has_left() -> None:
    """A leader of 0 is not known; what carries the mark ends all the same."""
    with running("[orphan(start_new_session=True)]") as (parent, found):
        parent.kill()
        parent.wait()
        processes.end(0, MARK)
        assert living(found) == []


def test_nothing_else_ends() -> None:
    """What neither descends from it nor carries its mark goes on."""
    with running("[start()]") as (other, others), running("[start()]") as (parent, found):
        processes.end(parent.pid)
        assert living(found) == []
        assert living(others) == others
        assert other.poll() is None


@pytest.mark.usefixtures("way")
def test_what_is_asked_first_ends_by_itself() -> None:
    """The signal that asks reaches all, and none that follows it is killed."""
    with running("[start(start_new_session=True)]") as (parent, found):
        processes.end(parent.pid, MARK, ask=signal.SIGTERM, within_s=60)
        assert living(found) == []
        assert parent.wait() == -signal.SIGTERM


@pytest.mark.usefixtures("way")
def test_what_does_not_follow_is_killed() -> None:
    """Where one that was asked runs on at the limit, it is killed; those that followed have not been."""
    with running("[start(start_new_session=True)]", DEAF) as (parent, found):
        processes.end(parent.pid, MARK, ask=signal.SIGTERM, within_s=0.2)
        assert living(found) == []
        assert parent.wait() == -signal.SIGTERM


def test_others_end_and_this_process_goes_on(tmp_path: Path) -> None:
    """A process can end all that it has started, wherever that went, and live."""
    program = PARENT.format(started=STARTED["all of them"], deaf="").replace(
        "signal.pause()\n", f"from kit import processes\nprocesses.end_others({MARK!r})\nprint('goes on')\n"
    )
    name, _, value = MARK.partition("=")
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, name: value},
        start_new_session=True, timeout=60,
    )  # fmt: skip
    numbers, goes_on = ended.stdout.splitlines()
    assert goes_on == "goes on"
    assert [pid for pid in map(int, numbers.split()) if processes.runs(pid, MARK)] == []


@pytest.mark.timeout(20)  # which is what says no
@pytest.mark.usefixtures("way")
def test_what_was_killed_is_not_waited_for_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child whose stopped parent cannot take note of its death is dead all the same: it is not waited for."""
    monkeypatch.setattr(processes, "END_S", 1000.0)
    with running("[start()]") as (parent, found):
        parent.send_signal(signal.SIGSTOP)
        found[1].kill()
        assert processes.wait_for([found[1].pid], 1000.0)
        processes.end(parent.pid)
        assert living(found) == []


@pytest.mark.timeout(20)  # likewise
@pytest.mark.usefixtures("way")
def test_a_group_is_waited_for_no_longer_than_it_is_there() -> None:
    """Who waits for a group goes on when the last of it has ended, also where nobody takes note of its death."""
    with running("[start()]") as (parent, found):
        processes.end_group(parent.pid)
        processes.wait_for_group(parent.pid, 1000.0)
        assert living(found) == []


def test_a_process_that_runs_has_not_ended() -> None:
    """At its limit a wait says that it was in vain, and of no process that it is over."""
    assert not processes.wait_for([os.getpid()], 0.05)
    assert processes.wait_for([], 0.05)


@pytest.mark.timeout(20)  # likewise
def test_a_command_at_its_limit_ends_with_the_child_that_holds_its_output(tmp_path: Path) -> None:
    """A child in a session of its own, which would hold the output open, is gone when the limit is told of."""
    program = (
        "import signal, subprocess, sys; words = [sys.executable, '-c', 'import signal; signal.pause()']; "
        "open(sys.argv[1], 'w').write(str(subprocess.Popen(words, start_new_session=True).pid)); signal.pause()"
    )
    with pytest.raises(subprocess.TimeoutExpired):
        processes.run([sys.executable, "-c", program, str(tmp_path / "pid")], timeout_s=2.0)
    assert not processes.runs(int((tmp_path / "pid").read_text()))


def test_a_command_is_run_as_subprocess_runs_it() -> None:
    """Its input is what was given, its output and exit code are returned."""
    program = "import sys; print(sys.stdin.read().upper()); print('no', file=sys.stderr); sys.exit(3)"
    ended = processes.run([sys.executable, "-c", program], timeout_s=60, input="yes")
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "YES\n", "no\n")


@pytest.mark.parametrize("what", [processes.end, processes.end_group])
def test_what_is_gone_is_no_error(what: Callable[[int], None]) -> None:
    """A process that has ended before cannot be ended, and need not be."""
    gone = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    gone.wait()
    what(gone.pid)
    assert processes.arguments(gone.pid) == b""


def test_a_process_is_known_by_its_words() -> None:
    """The command line has a blank after each word, the last one too."""
    with running("[]") as (parent, _):
        assert processes.arguments(parent.pid).startswith(f"{sys.executable} -c ".encode())
        assert processes.arguments(parent.pid).endswith(b" ")


@pytest.fixture
def hangup() -> Iterator[list[int]]:
    """A handler of SIGHUP that keeps what it is called with; the one that was there is back after the test."""
    calls: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, frame: calls.append(number))
    yield calls
    signal.signal(signal.SIGHUP, before)


def test_a_handler_is_set_for_the_block_only(hangup: list[int]) -> None:
    """The block has its own handler, and the one that was there is back after it, also where the block raises."""
    there = signal.getsignal(signal.SIGHUP)
    with pytest.raises(SystemExit) as ended, processes.signal_handlers({signal.SIGHUP: processes.exit_by_signal}):
        os.kill(os.getpid(), signal.SIGHUP)
    assert ended.value.code == 128 + signal.SIGHUP
    assert signal.getsignal(signal.SIGHUP) is there
    os.kill(os.getpid(), signal.SIGHUP)
    assert hangup == [signal.SIGHUP]


@pytest.mark.usefixtures("hangup")
def test_a_signal_that_is_ignored_stays_ignored_unless_it_is_named() -> None:
    """What nohup has a program ignore is not handled; a caller that wants it all the same says so."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for even_ignored, present in ((), signal.SIG_IGN), ((signal.SIGHUP,), processes.exit_by_signal):
        with processes.signal_handlers({signal.SIGHUP: processes.exit_by_signal}, even_ignored=even_ignored):
            assert signal.getsignal(signal.SIGHUP) is present
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_in_another_thread_no_handler_is_set(hangup: list[int]) -> None:
    """Outside the main thread the block runs, and the handlers are the main thread's."""
    there = signal.getsignal(signal.SIGHUP)

    def block() -> object:
        with processes.signal_handlers({signal.SIGHUP: processes.exit_by_signal}):
            return signal.getsignal(signal.SIGHUP)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(block).result() is there


def test_a_handler_that_python_did_not_set_stays(monkeypatch: pytest.MonkeyPatch, hangup: list[int]) -> None:
    """A library's handler, which Python names None and cannot set again, is left as it is."""
    there = signal.getsignal(signal.SIGHUP)
    monkeypatch.setattr(processes.signal, "getsignal", lambda number: None)
    with processes.signal_handlers({signal.SIGHUP: processes.exit_by_signal}):
        os.kill(os.getpid(), signal.SIGHUP)
    monkeypatch.undo()
    assert (hangup, signal.getsignal(signal.SIGHUP)) == ([signal.SIGHUP], there)
