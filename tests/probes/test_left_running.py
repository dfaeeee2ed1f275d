"""Child processes and threads that a test leaves running: told, and a child is ended alone."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kit.probes.hooks import Hooks
from kit.probes.left_running import LeftRunning
from kit.probes.threads import ThreadProbe

WAITS = "import sys; print('up', flush=True); sys.stdin.read()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITS}"
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def running() -> Iterator[LeftRunning]:
    hooks, found = Hooks(), LeftRunning()
    found.install(hooks)
    ThreadProbe().install(hooks)
    yield found
    hooks.remove()


@pytest.fixture
def start() -> Iterator[Start]:
    started = []

    def make(words: Any, **more: Any) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **more)
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        return child

    yield make
    for child in started:
        child.communicate()


def told(running: LeftRunning, put_back: tuple[str, ...] = (), keep: tuple[str, ...] = ()) -> dict[str, Any]:
    return {one["place"]: one for one in running.ends(put_back, keep)}


@pytest.mark.parametrize("program", [WAITS, STUBBORN], ids=["willing", "stubborn"])
def test_a_child_that_was_started_since_is_told_and_ended_alone(
    running: LeftRunning, start: Start, program: str
) -> None:
    """One that ran before is not told; of two new ones only the named one is ended, even if it ignores a request."""
    before = start([sys.executable, "-c", f"1; {WAITS}"])
    running.begins()
    mine, other = start([sys.executable, "-c", f"2; {program}"]), start([sys.executable, "-c", f"3; {WAITS}"])
    found = told(running)
    (place,) = (one for one in found if "-c 2;" in one)
    assert len(found) == 2
    assert found[place]["written"][0][0] == __file__
    assert found[place]["can_go_back"]
    told(running, (place,))
    assert mine.wait(timeout=30) < 0
    assert (before.poll(), other.poll()) == (None, None)


def test_all_but_what_is_kept_are_ended(running: LeftRunning, start: Start) -> None:
    """A script of a shell is named as it was given, with its line; with `keep`, all others are ended."""
    running.begins()
    other = start([sys.executable, "-c", WAITS])
    script = start("echo up; read x", shell=True)
    place = "the child process `echo up; read x`"
    assert told(running, keep=(place,))[place]["written"][0][0] == __file__
    assert other.wait(timeout=30) < 0
    assert script.poll() is None


def test_what_has_ended_or_is_a_fixtures_is_not_told(running: LeftRunning, start: Start) -> None:
    """A child that has ended is no difference, and its exit code stays for the program; nor is an adopted one."""
    start("echo up; read x", shell=True)
    running.begins()
    ended = start("echo up; exit 7", shell=True)
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert told(running, keep=("nothing",)) == {}
    assert ended.wait(timeout=30) == 7


def test_a_thread_is_told_with_its_line_and_stays(running: LeftRunning) -> None:
    """A thread cannot be ended: it is told as what cannot go back, with the line that started it."""
    running.begins()
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="watcher")
    thread.start()
    found = told(running, keep=("nothing",))
    assert found["the thread watcher"]["written"][0][0] == __file__
    assert not found["the thread watcher"]["can_go_back"]
    assert thread.is_alive()
    end.set()
    thread.join()
    assert told(running) == {}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # by pytest-xdist
def test_a_process_of_multiprocessing_is_told(running: LeftRunning) -> None:
    """A worker process that runs a function is named as well, and can be ended."""
    running.begins()
    context = multiprocessing.get_context("fork")
    worker = context.Process(target=context.Event().wait)
    worker.start()
    found = told(running, ("the child process `a function`",))
    assert list(found) == ["the child process `a function`"]
    worker.join(timeout=30)
    assert worker.exitcode == -15
