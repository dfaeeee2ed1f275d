"""Whoever owns a pair, and however it ends: the servers end with it, and nothing else ends them."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from kit.pair import Pair, embedded, supervisor
from kit.pair.connect import identify
from kit.pair.places import account, choose_data_base
from kit.pair.run import sweep

GONE_S = 20

OWNER = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests may have been started with nohup
import json, os, sys, threading
from kit.pair import embedded
{first}
running = embedded.start()
{before}
print(json.dumps({{"servers": running.supervisor.pids, "supervisor": running.supervisor.process.pid,
                   "url": running.pair.test.url(), "directory": str(running.directory.path)}}), flush=True)
sys.stdin.readline()
{after}
"""


class Watched:
    """A process that is not our child, and whose end is an event: a zombie that nobody has reaped yet has ended."""

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)
        self.descriptor = os.pidfd_open(pid) if sys.platform == "linux" else None

    def assert_gone(self) -> None:
        if self.descriptor is None:
            self.process.wait(GONE_S)
            return
        readable, _, _ = select.select([self.descriptor], [], [], GONE_S)
        os.close(self.descriptor)
        assert readable


@dataclass
class Owner:
    """A process that owns a pair, with what it told about it."""

    process: subprocess.Popen[str]
    servers: list[Watched]
    supervisor: Watched
    url: str
    directory: Path

    def __post_init__(self) -> None:
        self.watched = [self.supervisor, *self.servers]

    def told_to_go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def assert_gone(self) -> None:
        while self.watched:
            self.watched.pop().assert_gone()


@contextmanager
def owner(before: str = "", after: str = "", first: str = "") -> Iterator[Owner]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER.format(first=first, before=before, after=after)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        servers = [Watched(pid) for pid in told["servers"].values()]
        found = Owner(process, servers, Watched(told["supervisor"]), told["url"], Path(told["directory"]))
        try:
            yield found
        finally:
            process.kill()
            found.assert_gone()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_the_servers_end_with_their_killed_owner(number: signal.Signals) -> None:
    """An owner ended by a signal, even one that it cannot see, takes servers, supervisor and data with it."""
    with owner() as pair:
        assert identify(pair.url).database == "testdb"
        pair.process.send_signal(number)
        pair.assert_gone()
        assert not pair.directory.exists()


@pytest.mark.parametrize("after", ["os._exit(3)", "raise SystemExit", "1 / 0"])
def test_the_servers_end_with_an_owner_that_forgot_them(after: str) -> None:
    """An owner that ends without closing its pair takes it along all the same."""
    with owner(after=after) as pair:
        pair.told_to_go_on()
        pair.assert_gone()
        assert not pair.directory.exists()


def test_a_fork_that_holds_the_pipe_does_not_keep_the_servers() -> None:
    """A forked child of the owner lives on after it, with the supervisor's pipe open, and the servers still end."""
    with owner(before="child = os.fork()\nif child == 0:\n    os.read(0, 1)\n    os._exit(0)") as pair:
        known = pair.supervisor.process.pid
        (child,) = (one for one in psutil.Process(pair.process.pid).children() if one.pid != known)
        pair.process.kill()
        pair.assert_gone()
        assert child.is_running()
        child.kill()


def test_without_the_kernels_help_the_supervisor_looks_for_itself(tmp_path: Path) -> None:
    """Where no process's end is an event, as on macOS, the servers end with their owner too, forks or not."""
    program = tmp_path / "supervisor.py"
    program.write_text(
        "import os, sys\n"
        "sys.platform = 'darwin'\n"
        "vars(os).pop('pidfd_open', None)\n"
        f"exec(compile(open({supervisor.__file__!r}).read(), {supervisor.__file__!r}, 'exec'))\n"
    )
    first = f"from kit.pair import run; run.supervisor_program.__file__ = {str(program)!r}"
    with owner(first=first, before="child = os.fork()\nif child == 0:\n    os.read(0, 1)\n    os._exit(0)") as pair:
        known = pair.supervisor.process.pid
        (child,) = (one for one in psutil.Process(pair.process.pid).children() if one.pid != known)
        pair.process.kill()
        pair.process.wait()
        pair.assert_gone()
        assert not pair.directory.exists()
        child.kill()


def test_the_supervisor_killed_with_the_owner_leaves_no_server() -> None:
    """Owner and supervisor killed at one moment leave no server, and the directory that they leave is swept."""
    with owner() as pair:
        pair.supervisor.process.suspend()  # it can do nothing about the owner's death
        pair.process.kill()
        pair.process.wait()
        pair.supervisor.process.kill()
        if sys.platform != "linux":
            sweep()  # elsewhere the kernel ends no server for us
        pair.assert_gone()
        assert pair.directory.exists()
        assert pair.directory in sweep()
        assert not pair.directory.exists()


def test_the_servers_outlive_the_thread_that_started_them() -> None:
    """The end of the thread that started a pair is not the end of the pair."""
    started: list[embedded.Running] = []
    thread = threading.Thread(target=lambda: started.append(embedded.start()))
    thread.start()
    thread.join()
    (running,) = started
    try:
        for side in running.pair.sides:
            assert identify(side.url()).server == side.identity.server
    finally:
        running.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # a worker of xdist is
def test_a_fork_of_the_owner_does_not_take_the_pair_down() -> None:
    """A forked child that leaves the owner's context manager closes nothing."""
    running = embedded.start()
    try:
        child = os.fork()
        if child == 0:
            running.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert identify(running.pair.test.url()).database == "testdb"
    finally:
        running.close()


def test_an_interrupt_at_the_terminal_leaves_the_servers_to_their_owner() -> None:
    """SIGINT to the owner's whole process group, as a terminal sends it, reaches neither supervisor nor servers."""
    with owner(before="import signal; signal.signal(2, signal.SIG_IGN)", after="sys.stdin.readline()") as pair:
        os.killpg(pair.process.pid, signal.SIGINT)
        pair.told_to_go_on()
        assert identify(pair.url).database == "testdb"


def test_a_killed_supervisor_is_cleaned_up_by_the_owner() -> None:
    """When only the supervisor was killed, closing still ends the servers and removes their data."""
    running = embedded.start()
    servers = [Watched(pid) for pid in running.supervisor.pids.values()]
    running.supervisor.process.kill()
    running.close()
    for server in servers:
        server.assert_gone()
    assert not running.directory.path.exists()


def test_closing_ends_the_servers_and_removes_their_data() -> None:
    """After an orderly close no process and no file of the pair is left, and a second close does nothing."""
    with embedded.open_embedded() as pair:
        assert pair.test.log is not None
        directory = pair.test.log.parent
        pids = [int((directory / side.name / "postmaster.pid").read_text().split()[0]) for side in pair.sides]
        servers = [psutil.Process(pid) for pid in pids]
    assert not any(server.is_running() for server in servers)
    assert not directory.exists()


FAKE_TAR = """#!/bin/sh
cd "$6" && echo unpacking >> {told}
i=0; while :; do i=$(((i + 1) % 50)); echo x > file$i; done
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_start_that_is_ended_as_it_unpacks_leaves_nothing(
    pair: Pair, number: signal.Signals, tmp_path: Path
) -> None:
    """Whatever ends `kit up` while data directories are being filled, the program that fills them ends, too."""
    base = Path(tempfile.mkdtemp(prefix="kit-tests-", dir=choose_data_base(account())))
    base.chmod(0o711)
    told, tar = base / "told", base / "tar"
    os.mkfifo(told)
    told.chmod(0o666)
    tar.write_text(FAKE_TAR.format(told=told))
    tar.chmod(0o755)
    (base / "data").mkdir(mode=0o711)
    environ = {
        **os.environ, "PATH": f"{base}:{os.environ['PATH']}", "KIT_DATA_DIR": str(base / "data"),
        "KIT_STATE_DIR": str(tmp_path / "state"),
    }  # fmt: skip
    with subprocess.Popen([sys.executable, "-m", "kit", "up"], env=environ, start_new_session=True) as starting:
        with told.open() as pipe:
            assert pipe.readline() == "unpacking\n"
        (directory,) = (base / "data").iterdir()
        (supervising,) = psutil.Process(starting.pid).children()
        watched = [Watched(one.pid) for one in (supervising, *supervising.children(recursive=True))]
        starting.send_signal(number)
    try:
        for one in watched:
            one.assert_gone()
        assert not directory.exists()
    finally:
        for one in watched:
            with suppress(psutil.NoSuchProcess):
                one.process.kill()
        shutil.rmtree(base)
