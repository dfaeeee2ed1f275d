"""Fixtures for all tests, one live pair per run; marks tests at length, and refuses processes in pure tests."""

from __future__ import annotations

import argparse
import compileall
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.pair import Pair, down, up
from kit.pair.places import STATE_VARIABLE, account
from tests import lengths, older_stacks

collect_ignore = ["ways"]  # run under the guard by tests/live/test_guard_ways.py, never with the kit's tests
KIT = Path(__file__).parents[1] / "kit"
# Importing nbformat builds grammars of international URLs, which takes two seconds and no test needs.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def _share(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    share, shares = map(int, found.groups()) if found else (0, 0)
    if not 1 <= share <= shares:
        raise argparse.ArgumentTypeError(f"{text} is no share: 2/3 is the second of three")
    return share, shares


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option --share, for a share of the tests at length: .ci/run runs another third for each commit."""
    parser.addoption("--share", type=_share, metavar="I/N", default=(1, 1), help="The tests at length: share I of N.")


def pytest_configure(config: pytest.Config) -> None:
    """Give the run, its workers and their children a state folder of their own, separate from the user's pair."""
    # A shell starts background jobs with SIGINT ignored, and nohup ignores SIGHUP: processes that tests start need
    # both.
    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)
    if hasattr(config, "workerinput"):
        return
    for name in [name for name in os.environ if name.startswith(("KIT_PRODUCTION_", "KIT_TEST_", "KIT_PAIR_"))]:
        del os.environ[name]
    # Created by the first `up`, so that a run without a pair leaves nothing behind, however it ends.
    os.environ[STATE_VARIABLE] = os.path.join(tempfile.gettempdir(), f"kit-tests-{secrets.token_hex(8)}")
    # Small projects run with PYTHONDONTWRITEBYTECODE, so each would compile the probes again.
    compileall.compile_dir(KIT, quiet=1, rx=re.compile(r"/specimens/project/"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take down the pair, if a test asked for one."""
    if not hasattr(config, "workerinput"):
        down()
        shutil.rmtree(os.environ.pop(STATE_VARIABLE), ignore_errors=True)


@pytest.hookimpl(tryfirst=True)  # before pytest selects tests by the mark
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests at length, as listed in tests/lengths.py, and keep the requested share of them.

    Raises UsageError when a pattern of that list matches no test.
    """
    for item in items:
        if lengths.is_at_length(item.nodeid):
            item.add_marker(lengths.MARK)
    first = os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0"
    if first and config.args_source is pytest.Config.ArgsSource.TESTPATHS:  # each worker has collected all tests
        for module in (lengths, older_stacks):
            gone = module.without_a_test(item.nodeid for item in items)
            if gone:
                raise pytest.UsageError(f"{module.__name__} has patterns that match no test: {', '.join(gone)}")
    share, shares = config.getoption("--share")
    cannot_run = older_stacks.why_missing() is not None
    left_out = [
        item for item in items
        if (lengths.is_at_length(item.nodeid) and lengths.share_of(item.nodeid, shares) != share)
        or (cannot_run and older_stacks.needs_one(item.nodeid))
    ]  # fmt: skip
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests could not run on this machine, and why."""
    why = older_stacks.why_missing()
    if why is not None:
        terminalreporter.section("left out")
        terminalreporter.write_line(f"The tests that run an older stack were left out. {why}")


_STARTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system")
_pure: set[str] = set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Refuse to start processes while a test of a pure folder runs."""
    if lengths.is_pure(item.nodeid):
        _pure.add(item.nodeid)
    try:
        return (yield)
    finally:
        _pure.discard(item.nodeid)


def _refuse_processes(event: str, _: tuple[Any, ...]) -> None:
    if _pure and event in _STARTS:
        raise AssertionError(f"{', '.join(_pure)} starts a process ({event}): such a test belongs in another folder")


sys.addaudithook(_refuse_processes)


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A directory that this process cannot enter; root switches to another user while it is in use."""
    directory = tmp_path / "closed"
    directory.mkdir(mode=0)
    user = account()
    if user is not None:
        os.seteuid(user.uid)
    yield directory
    os.seteuid(os.getuid())
    directory.chmod(0o700)


@pytest.fixture(scope="session")
def pair() -> Pair:
    """The run's live pair, started by the first test that needs it; it ends with the run, however that ends."""
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    return up(owner=owner)
