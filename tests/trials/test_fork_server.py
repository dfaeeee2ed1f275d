"""Parents of trials: a fork is as fresh as a new interpreter, and nothing that a command does outlives it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.trials import fork_server
from kit.trials.fork_server import Ended, Parent, ParentAddress
from kit.trials.workspace import base_environ
from kit.workfolder import is_held

PYTHON = sys.executable
LIMIT_S = 60.0

# What a program can tell of how it was started. Objects are told by what they are, numbers of processes by which.
STATE = '''
import asyncio, gc, importlib.util, json, locale, logging, os, random, resource, signal, sys, tempfile, threading
import warnings

def stream(file):
    return [file.name, file.mode, file.encoding, file.errors, file.line_buffering, file.write_through, file.newlines,
            file.buffer.raw.name, file.buffer.raw.mode, file.seekable(), file.isatty(), file.fileno()]

def open_files():
    found = []
    for number in range(256):
        try:
            os.fstat(number)
            found.append([number, os.get_inheritable(number)])
        except OSError:
            continue
    return found

main = sys.modules["__main__"]
print(json.dumps({
    "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "flags": str(sys.flags), "cwd": os.getcwd(),
    "executable": sys.executable, "prefixes": [sys.prefix, sys.base_prefix, sys.exec_prefix],
    "environ": list(os.environ.items()), "main": sorted(vars(main)), "spec": main.__spec__.name,
    "streams": [stream(sys.stdin), stream(sys.stdout), stream(sys.stderr)],
    "same streams": [sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__],
    "open files": open_files(), "umask": oct(os.umask(0)), "locale": locale.setlocale(locale.LC_ALL),
    "encodings": [sys.getfilesystemencoding(), sys.getdefaultencoding(), locale.getpreferredencoding(False)],
    "signals": {str(number): str(signal.getsignal(number)) for number in signal.valid_signals()},
    "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
    "wakeup": signal.set_wakeup_fd(-1),
    "leads": [os.getpid() == os.getsid(0), os.getpid() == os.getpgrp()],
    "threads": [thread.name for thread in threading.enumerate()],
    "threads of the system": len(os.listdir("/proc/self/task")),
    "finders": [getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path],
    "hooks": [str(sys.excepthook), str(sys.displayhook), str(sys.unraisablehook), str(threading.excepthook)],
    "trace": [sys.gettrace(), sys.getprofile(), threading.gettrace()],
    "collector": [gc.isenabled(), gc.get_threshold(), gc.get_debug(), len(gc.garbage)],
    "limits": [sys.getrecursionlimit(), sys.getswitchinterval(), resource.getrlimit(resource.RLIMIT_NOFILE)],
    "filters": [str(entry) for entry in warnings.filters], "warnoptions": sys.warnoptions,
    "logging": [len(logging.root.handlers), logging.root.level, sorted(logging._levelToName)],
    "loop": str(asyncio._get_running_loop()), "policy": str(getattr(asyncio.events, "_event_loop_policy", None)),
    "temporary": [tempfile.tempdir, tempfile.gettempdir()],
    "own modules": sorted(name for name in sys.modules if name.startswith(("_kit", "_isolation", "planted"))),
    "bytecode": sys.dont_write_bytecode,
}))
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a program that tells its state."""
    (tmp_path / "state.py").write_text(STATE)
    return tmp_path


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    """The environment of a trial, with a database in it."""
    return {**base_environ(PYTHON), "DATABASE_URL": "postgresql://user@127.0.0.1/database", "EMPTY": ""}


@pytest.fixture(scope="module")
def forking(environ: dict[str, str]) -> Iterator[ParentAddress]:
    """A warm parent."""
    with fork_server.parents(PYTHON, environ, 1) as (parent,):
        address = parent.ready()
        assert address.why_not is None
        yield address
    fork_server.close_idle()


@pytest.fixture(scope="module")
def starting(environ: dict[str, str]) -> Iterator[ParentAddress]:
    """A parent that starts a new interpreter for each command."""
    with fork_server.parents(PYTHON, environ, 1, warm=False) as (parent,):
        yield parent.ready()
    fork_server.close_idle()


def module(name: str, *arguments: str) -> tuple[str, ...]:
    return (PYTHON, "-m", name, *arguments)


def differences(state: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {name: (state[name], other[name]) for name in other if state[name] != other[name]}


def told(ended: Ended) -> Any:
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.output)


# --- as fresh as a new interpreter -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        module("state", "one", "two words", ""),
        ("sh", "-c", 'export MORE=1; exec "$PYTHON" -m state "$@"', "script", "one", "two words", ""),
        ("bash", "-c", 'cd /; MORE="ümlaut \\" quoted" PYTHONPATH="$OLDPWD:/nowhere" "$PYTHON" -m state; exit $?'),
    ],
    ids=["by hand", "by a script", "from elsewhere"],
)
def test_a_fork_finds_what_a_new_interpreter_finds(
    project: Path, environ: dict[str, str], forking: ParentAddress, starting: ParentAddress, command: tuple[str, ...]
) -> None:
    """Arguments, paths, variables, streams, files, signals, threads, limits: a program cannot tell the two apart."""
    forked, started = (parent.run(command, environ, project, LIMIT_S) for parent in (forking, starting))
    assert (forked.forked, started.forked) == (True, False)
    found = differences(told(forked), told(started))
    if command[0] == "bash":  # the script lives on, so it is the one that leads
        assert found.pop("leads") == ([True, True], [False, False])
    assert found == {}


@pytest.mark.parametrize(
    "ending",
    ["", "raise SystemExit(3)", "raise SystemExit('words')", "raise SystemExit(None)", "raise SystemExit(-1)",
     "1 / 0", "raise KeyboardInterrupt", "import os; os._exit(7)", "import os; os.kill(os.getpid(), 9)",
     "import os; os.abort()", "import atexit; atexit.register(print, 'the end')",
     "import threading; threading.Thread(target=lambda: print('a thread')).start()"],
)  # fmt: skip
@pytest.mark.parametrize("way", ["by hand", "by a script"])
def test_a_fork_ends_as_a_new_interpreter_ends(
    project: Path, environ: dict[str, str], forking: ParentAddress, starting: ParentAddress, ending: str, way: str
) -> None:
    """Exit codes, signals, last words and the work of exit functions and threads are the same."""
    (project / "ending.py").write_text(f"print('begun', flush=True)\n{ending}\n")
    command = module("ending") if way == "by hand" else ("sh", "-c", 'exec "$PYTHON" -m ending')
    forked, started = (parent.run(command, environ, project, LIMIT_S) for parent in (forking, starting))
    assert forked.forked
    assert (forked.exit_code, forked.problem, forked.left) == (started.exit_code, started.problem, started.left)
    assert forked.output.splitlines()[:1] == ["begun"]
    assert forked.output.splitlines()[-1] == started.output.splitlines()[-1]


def test_an_interrupt_ends_a_script_in_the_background(project: Path, environ: dict[str, str]) -> None:
    """Where SIGINT is ignored, as in a shell's background job, a script's Python that it ends still ends by it."""
    (project / "ending.py").write_text("raise KeyboardInterrupt\n")
    with _ignored(signal.SIGINT), fork_server.parents(PYTHON, environ, 1) as (parent,):
        ended = parent.ready().run(("sh", "-c", 'exec "$PYTHON" -m ending'), environ, project, LIMIT_S)
    assert (ended.forked, ended.exit_code) == (True, -signal.SIGINT), ended.output


@contextmanager
def _ignored(number: signal.Signals) -> Iterator[None]:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        fork_server.close_idle()  # what is started from here on inherits it
        yield
    finally:
        fork_server.close_idle()  # and is not kept for the tests after this one
        signal.signal(number, before)


def test_forks_share_no_random_state(project: Path, environ: dict[str, str]) -> None:
    """A seed in the parent, and a generator that a library keeps, give each fork numbers of its own."""
    (_installed(project) / "seeded.py").write_text("import random\nrandom.seed(731)\ngenerator = random.Random(731)\n")
    (project / "numbers_.py").write_text(
        "import json, random, sys, tempfile, uuid, os\n"
        "kept = sys.modules['seeded'].generator if 'seeded' in sys.modules else None\n"
        "print(json.dumps([random.random(), kept and kept.random(), uuid.uuid4().hex, os.urandom(4).hex(),"
        " next(tempfile._get_candidate_names())]))\n"
    )
    with _parent_with(["seeded"], environ, _installed(project)) as address:
        first, second = (told(address.run(module("numbers_"), environ, project, LIMIT_S)) for _ in range(2))
    assert first[1] is not None
    assert [number for number, other in zip(first, second, strict=True) if number == other] == []


# --- what is planted in a parent is refused --------------------------------------------------------------------------


# What stands against a fork, by the words in which it is told. All but the last are planted in one parent.
PLANTED = {
    "the module planted_0 does not belong to a library": "",
    "an engine: sqlalchemy.engine.base.Engine":
        "import sqlalchemy\nplanted = sqlalchemy.create_engine('postgresql+psycopg://user@127.0.0.1/none')\n",
    "an engine: sqlalchemy.ext.asyncio":
        "from sqlalchemy.ext.asyncio import create_async_engine\n"
        "planted = create_async_engine('postgresql+asyncpg://user@127.0.0.1/none')\n",
    "a connection: sqlite3.Connection": "import sqlite3\nplanted = sqlite3.connect(':memory:')\n",
    "a session: sqlalchemy.orm.session.Session": "from sqlalchemy.orm import Session\nplanted = Session()\n",
    "an application: fastapi.applications.FastAPI": "from fastapi import FastAPI\nplanted = FastAPI()\n",
    "the variable PLANTED was changed": "import os\nos.environ['PLANTED'] = '1'\n",
    "the variable LANG was changed": "import os\nos.environ['LANG'] = 'planted'\n",
    "an event loop: asyncio": "import asyncio\nplanted = asyncio.new_event_loop()\n",
    "there are other threads: planted":
        "import threading\nthreading.Thread(target=threading.Event().wait, name='planted', daemon=True).start()\n",
    "a temporary file: tempfile": "import tempfile\nplanted = tempfile.NamedTemporaryFile()\n",
    "a temporary file: tmp": "import tempfile\nplanted = tempfile.mkdtemp()\n",
    "a file is open: /dev/zero": "planted = open('/dev/zero')\n",
    "a file is open: socket": "import socket\nplanted = socket.socket()\n",
    "a library has 1 threads of its own": "import _thread\nlock = _thread.allocate_lock()\nlock.acquire()\n"
        "_thread.start_new_thread(lock.acquire, ())\n",
}  # fmt: skip


@pytest.mark.parametrize("objections", [[*PLANTED][:-1], [*PLANTED][-1:]], ids=["most", "a thread of a library's"])
def test_what_is_planted_in_a_parent_is_refused(
    objections: list[str], project: Path, environ: dict[str, str]
) -> None:
    """A parent that holds a module, an object, a thread or a file of an application's forks nothing, and says why."""
    names = [f"planted_{number}" for number, _ in enumerate(objections)]
    for name, objection in zip(names, objections, strict=True):
        (project / f"{name}.py").write_text(PLANTED[objection])
    with _parent_with(names, environ, project) as address:
        assert [objection for objection in objections if objection not in (address.why_not or "")] == []
        ended = address.run(module("state"), environ, project, LIMIT_S)
    assert not ended.forked
    assert ended.why_not == address.why_not
    assert not any(name.startswith("planted") for name in told(ended)["own modules"])


def test_a_thread_that_comes_later_is_refused(project: Path, environ: dict[str, str]) -> None:
    """A parent that has been clean is looked at again before each fork."""
    (_installed(project) / "late.py").write_text(
        "import os, signal, threading\n"
        "start = lambda *_: threading.Thread(target=threading.Event().wait, name='late', daemon=True).start()\n"
        "signal.signal(signal.SIGUSR1, start)\n"
    )
    with _parent_with(["late"], environ, _installed(project)) as address:
        assert address.run(module("state"), environ, project, LIMIT_S).forked
        start = f"import os, signal; os.kill({_pid_of(address)}, signal.SIGUSR1)"
        address.run((PYTHON, "-c", start), environ, project, LIMIT_S)
        ended = address.run(module("state"), environ, project, LIMIT_S)
    assert ended.why_not == "there are other threads: late"
    assert not ended.forked


@pytest.mark.parametrize(
    ("more", "command", "why_not"),
    [
        ({"PYTHONHASHSEED": "0"}, module("state"), "PYTHONHASHSEED"),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, module("state"), "LANG"),
        ({}, (PYTHON, "state.py"), "only a module"),
        ({}, ("sh", "-c", 'umask 077; exec "$PYTHON" -m state'), "limits"),
        ({}, ("sh", "-c", 'ulimit -n 64; exec "$PYTHON" -m state'), "limits"),
        ({}, ("sh", "-c", 'PYTHONUTF8=1 exec "$PYTHON" -m state'), "PYTHONUTF8"),
    ],
    ids=["hash seed", "locale", "file", "mask", "limit", "by the script"],
)
def test_what_a_fork_cannot_have_is_started(
    more: dict[str, str], command: tuple[str, ...], why_not: str,
    project: Path, environ: dict[str, str], forking: ParentAddress, starting: ParentAddress,
) -> None:  # fmt: skip
    """A command that wants another interpreter, or other limits, gets a new one, and the reason is told."""
    ended = forking.run(command, environ | more, project, LIMIT_S)
    assert not ended.forked
    assert why_not in (ended.why_not or "")
    started = starting.run(command, environ | more, project, LIMIT_S)
    state, expected = ({**told(one), "main": None} for one in (ended, started)) if "state.py" not in command else (0, 0)
    assert state == expected


# --- nothing outlives a command --------------------------------------------------------------------------------------

HANGING = "import time\nprint('here', flush=True)\nwhile True:\n    time.sleep(60)\n"
DEAF = (
    "import signal\nfor number in signal.valid_signals() - {9, 19}:\n    signal.signal(number, signal.SIG_IGN)\n"
) + HANGING
TELLING = "import os\nopen('told', 'w').write(str(os.getpid()))\n"
# Two forks and a session of its own: no group and no parent leads to it any more.
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("daemon.pid", "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
while not os.path.exists("daemon.pid") or not open("daemon.pid").read():
    time.sleep(0.01)
"""
FORKING = """
import os, time
for _ in range(6):
    os.fork()
os.setsid() if os.getpid() != os.getsid(0) else None
open(f"{os.getpid()}.pid", "w").write(str(os.getpid()))
time.sleep(600)
"""


@pytest.mark.parametrize("way", ["by hand", "by a script"])
@pytest.mark.parametrize("text", [HANGING, DEAF, DAEMON + HANGING, FORKING], ids=["hangs", "deaf", "daemon", "forks"])
def test_a_command_that_does_not_end_costs_its_time_limit(
    text: str, way: str, project: Path, environ: dict[str, str], forking: ParentAddress
) -> None:
    """Everything that it has started is ended at its time limit, and the parent serves the next command."""
    (project / "endless.py").write_text(text)
    command = module("endless") if way == "by hand" else ("sh", "-c", '"$PYTHON" -m endless; echo never')
    ended = forking.run(command, environ, project, 1.0)
    assert (ended.exit_code, ended.timed_out, ended.problem) == (None, True, None)
    assert "never" not in ended.output
    assert _living(project) == []
    assert told(forking.run(module("state"), environ, project, LIMIT_S))


@pytest.mark.parametrize("parent", ["forking", "starting"])
def test_what_a_command_leaves_behind_is_ended(
    parent: str, project: Path, environ: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """A daemon that outlives its command is found, ended, and told of."""
    (project / "daemon.py").write_text(DAEMON)
    ended = request.getfixturevalue(parent).run(module("daemon"), environ, project, LIMIT_S)
    assert (ended.exit_code, ended.left) == (0, 1)
    assert _living(project) == []


def test_a_flood_of_output_is_ended(project: Path, environ: dict[str, str], forking: ParentAddress) -> None:
    """A command that writes without end is ended, and only the end of what it wrote is kept."""
    (project / "flood.py").write_text("import sys\nwhile True:\n    sys.stdout.write('word ' * 10_000)\n")
    ended = forking.run(module("flood"), environ, project, LIMIT_S)
    assert ended.exit_code is None
    assert not ended.timed_out
    assert "it wrote more than 16 MB" in (ended.problem or "")
    assert len(ended.output) == fork_server.OUTPUT_KEPT
    assert told(forking.run(module("state"), environ, project, LIMIT_S))


def test_a_command_is_stopped(project: Path, environ: dict[str, str], forking: ParentAddress) -> None:
    """A command can be stopped from another thread; nothing of it is left."""
    (project / "endless.py").write_text(TELLING + DEAF)
    os.mkfifo(project / "told")
    ended: list[Ended] = []
    thread = threading.Thread(
        target=lambda: ended.append(forking.run(module("endless"), environ, project, LIMIT_S))
    )
    thread.start()
    pid = int((project / "told").read_text())
    forking.stop()
    thread.join()
    assert (ended[0].exit_code, ended[0].problem) == (None, "it was stopped")
    assert not _lives(pid)


def test_a_command_that_kills_its_parent_takes_nothing_else_along(project: Path, environ: dict[str, str]) -> None:
    """The death of a parent ends what it had under way, and is told; the next parent serves on."""
    (project / "murder.py").write_text(
        "import os, signal, time\nprint(os.getpid(), flush=True)\n"
        "os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(600)\n"
    )
    with fork_server.parents(PYTHON, environ, 2) as (doomed, other):
        ended = doomed.ready().run(module("murder"), environ, project, LIMIT_S)
        assert (ended.exit_code, ended.problem) == (None, "its parent did not answer")
        _wait_for_end_of(int(ended.output))
        assert not doomed.alive()
        assert told(other.ready().run(module("state"), environ, project, LIMIT_S))
        assert doomed.ready().run(module("state"), environ, project, LIMIT_S).problem is not None
    with fork_server.parents(PYTHON, environ, 2) as again:
        assert doomed not in again


def test_parents_end_with_the_kit(project: Path, environ: dict[str, str]) -> None:
    """When the kit is killed, its parents, what they run and their folders go."""
    (project / "endless.py").write_text(TELLING + HANGING)
    os.mkfifo(project / "told")
    script = (
        "import json, sys\nfrom pathlib import Path\nfrom kit.trials import fork_server\n"
        "python, environ, project = sys.executable, json.loads(sys.argv[1]), Path(sys.argv[2])\n"
        "with fork_server.parents(python, environ, 1) as (parent,):\n"
        "    address = parent.ready()\n"
        "    (project / 'parent').write_text(f'{parent.process.pid} {parent.folder}')\n"
        "    address.run((python, '-m', 'endless'), environ, project, 600)\n"
    )
    with subprocess.Popen([PYTHON, "-c", script, json.dumps(environ), str(project)]) as kit:
        running = int((project / "told").read_text())
        pid, folder = (project / "parent").read_text().split()
        kit.send_signal(signal.SIGKILL)
    _wait_for_end_of(int(pid))
    assert not _lives(running)
    assert not Path(folder).exists()


BORROWING = """
import json, os, sys
from pathlib import Path
from kit.trials import fork_server
fork_server.borrow(os.environ.pop(fork_server.LENT_VARIABLE))
environ = json.loads(sys.argv[1])
parent = fork_server.take(sys.executable, environ)
ended = parent.ready().run((sys.executable, "-c", "pass"), environ, Path(sys.argv[2]), 60)
print(json.dumps([type(parent).__name__, ended.exit_code]))
"""


def borrowing(parent: Parent, environ: dict[str, str], project: Path) -> Any:
    """What a process tells that has been lent this parent, asks for one for this environment, uses it and ends."""
    asked = subprocess.run(
        [PYTHON, "-c", BORROWING, json.dumps(environ), str(project)], capture_output=True, text=True, check=True,
        env={**os.environ, fork_server.LENT_VARIABLE: fork_server.lend([parent])},
    )  # fmt: skip
    return json.loads(asked.stdout)


def test_a_lent_parent_is_used_and_left_to_its_owner(project: Path, environ: dict[str, str]) -> None:
    """A process that has been lent a parent starts none, and does not end the one it was lent."""
    with fork_server.parents(PYTHON, environ, 1, warm=True) as (parent,):
        assert isinstance(parent, Parent)
        assert borrowing(parent, environ, project) == ["LentParent", 0]
        assert parent.alive()
        assert borrowing(parent, {**environ, "PYTHONUTF8": "1"}, project) == ["Parent", 0]


def test_a_lent_parent_that_has_gone_is_not_used(project: Path, environ: dict[str, str]) -> None:
    """A process whose lent parent has died meanwhile starts one of its own."""
    parent = Parent(PYTHON, environ, warm=True)
    parent.ready()
    parent.process.kill()
    parent.process.wait()
    assert borrowing(parent, environ, project) == ["Parent", 0]
    parent.close()


def test_an_interpreter_that_does_not_start_is_named(tmp_path: Path, environ: dict[str, str]) -> None:
    """What an interpreter says as it fails is in the error."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no such library' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(fork_server.TrialError, match="did not start: no such library"):
        Parent(str(broken), environ, warm=True).ready()


# --- helpers ---------------------------------------------------------------------------------------------------------


class _parent_with:
    """A parent that has imported modules of a test's, from wherever they are."""

    def __init__(self, names: Iterable[str], environ: dict[str, str], folder: Path) -> None:
        self.parent = Parent(PYTHON, {**environ, "PYTHONPATH": str(folder)}, True, tuple(names))

    def __enter__(self) -> ParentAddress:
        return self.parent.ready()

    def __exit__(self, *error: object) -> None:
        self.parent.close()


def _installed(folder: Path) -> Path:
    """A folder whose modules count as libraries."""
    place = folder / "site-packages"
    place.mkdir(exist_ok=True)
    return place


def _pid_of(address: ParentAddress) -> int:
    ended = address.run(("sh", "-c", "echo $PPID"), {"PATH": os.defpath}, Path("/"), LIMIT_S)
    return int(ended.output)


def _living(folder: Path) -> list[int]:
    pids = [int(path.read_text()) for path in folder.glob("*.pid") if path.read_text()]
    return [pid for pid in pids if _lives(pid)]


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def _wait_for_end_of(pid: int) -> None:
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([process], (), (), LIMIT_S)[0], f"process {pid} goes on"
    os.close(process)


STARTER = """
import sys
from kit.trials.workspace import base_environ
from kit.trials.fork_server import Parent
parent = Parent(sys.executable, base_environ(sys.executable), warm=True)
print(parent.process.pid, parent.folder, flush=True)
sys.stdin.read()
"""


def test_a_parent_whose_starter_is_killed_before_it_is_ready_leaves_nothing(tmp_path: Path) -> None:
    """While it imports its libraries its folder is held, and then it notices that nobody waits for it any more."""
    with subprocess.Popen(
        [PYTHON, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as starter:
        assert starter.stdout is not None
        number, folder = starter.stdout.readline().split()
        parent = os.pidfd_open(int(number))
        starter.kill()
        starter.wait()
    if Path(folder).exists():
        assert is_held(Path(folder))
    assert select.select([parent], [], [], LIMIT_S)[0]
    os.close(parent)
    assert list(tmp_path.iterdir()) == []
