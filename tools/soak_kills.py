"""Ends commands of the kit at random moments, and looks at what is left: processes, folders, memory, a pair that works.

    python tools/soak_kills.py --moments 100              each signal and command so often
    python tools/soak_kills.py --commands up --signals SIGKILL --seed 7

One moment is drawn for each ending, from the command's start to a little after it would be done. Then it is looked for
processes until there are none, or their time is up, and for folders before and after the sweep with which each start
begins; every tenth time a pair is started, too. The exit code must be the signal's, or that of a command that is done,
and the reader's files must be whole (tools/soak_files.py). SIGINT goes to the whole group, as a terminal sends it.
Everything happens in folders of this program's own. A line for each command and signal says how often something was
left or wrong; lines come as they are done, so that what is interrupted counts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import psutil
from soak_files import ALLOWED, ANSWER, NOTEBOOK, OUTPUT, Files, made

from kit import pair
from kit.errors import KitError
from kit.pair.places import state_file
from kit.pair.run import sweep
from kit.processes import ENDING, signal_handlers

KIT = Path(__file__).parents[1]
_PYTEST = (sys.executable, "-m", "pytest")
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")


@dataclass(frozen=True)
class Command:
    """A command that is ended: its words, the exit code when it is done, and what it then says.

    `by_signal` are exit codes besides those of the signal: of the program that it runs, or runs in.
    """

    words: Sequence[str]
    done: int = 0
    says: str = ""
    by_signal: Sequence[int] = ()
    module: str = "kit"


COMMANDS: Mapping[str, Command] = {
    "up": Command(("up",), says="The pair is up"),
    "first up": Command(("up",), says="The pair is up"),
    "down": Command(("down",), says="The pair is down"),
    "investigate": Command(
        ("investigate", str(KIT / "notebooks" / "01_the_failure.ipynb"), "-p", "repetitions", "1"),
        says="claims held", by_signal=(2,),  # it keeps what there is, and says that it could not run to its end
    ),
    "small investigate": Command(("investigate", NOTEBOOK), says="claims held", by_signal=(2,)),
    "lab": Command(("lab", "--no-browser")),
    "papermill": Command(
        ("--engine", "kit", "--no-progress-bar", NOTEBOOK, OUTPUT), module="papermill", by_signal=(1,)
    ),
    "trace": Command(("trace", *ANSWER, "--", *_PYTEST), by_signal=(1, 2)),  # pytest's, and Python's as it starts
    "diagnose": Command(("diagnose", "--allow", ALLOWED, *ANSWER, "--", *_PYTEST), done=1, says="PROVED"),
    "guard init": Command(("guard", "init", "--allow", ALLOWED, "--python", sys.executable), says="Proved"),
}
_OTHERS = ("pytest-of-", "jupyter", "ipykernel")  # theirs, and kept by them
QUIET_S, GONE_S, LONGEST_S = 0.2, 30.0, 300.0


@dataclass
class Tally:
    """The results of one command under one signal. `left` counts what remained after the next start, by kind."""

    command: str
    signal: str
    moments: int = 0
    hit: int = 0
    processes_left: int = 0
    folders_left: int = 0
    folders_left_until_the_next_start: int = 0
    next_start_failed: int = 0
    files_wrong: int = 0
    codes_wrong: int = 0
    exit_codes: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ground:
    """The folders of the commands: for data, state, temporary files and results."""

    root: Path
    memory: Path

    def environ(self, *, cache: Path | None = None) -> dict[str, str]:
        """The environment of a command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KIT_")}
        own = {
            "KIT_DATA_DIR": str(self.memory), "KIT_STATE_DIR": str(self.root / "state"),
            "TMPDIR": str(self.root / "tmp"), "JUPYTER_RUNTIME_DIR": str(self.root / "runtime"),
            "XDG_CACHE_HOME": str(cache or self.root / "cache"), "PYTHONPATH": str(KIT),
        }  # fmt: skip
        return kept | own

    @property
    def project(self) -> Path:
        """Where the reader's files are."""
        return self.root / "project"

    def processes(self) -> list[psutil.Process]:
        """The processes with a folder of this ground in their command line or environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                words = " ".join((*process.cmdline(), *process.environ().values()))
                if str(self.root) in words or str(self.memory) in words:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def folders(self) -> list[Path]:
        """What a start removes if it finds it: pairs' data, and all temporary files but those of pytest and Jupyter."""
        places = (self.memory, self.root / "tmp")
        return [path for place in places for path in place.iterdir() if not path.name.startswith(_OTHERS)]


@contextmanager
def ground() -> Iterator[Ground]:
    """Folders of this program's own, removed afterwards with all processes that use them."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    root, memory = (Path(tempfile.mkdtemp(prefix="kit-soak-kills-", dir=place)) for place in (None, base))
    found = Ground(root, memory)
    found.memory.chmod(0o711)
    for name in ("tmp", "state", "cache", "runtime"):
        (found.root / name).mkdir(mode=0o700)
    for name in [name for name in os.environ if name.startswith("KIT_")]:
        del os.environ[name]
    os.environ.update(found.environ())
    tempfile.tempdir = str(found.root / "tmp")
    try:
        yield found
    finally:
        tempfile.tempdir = None
        for process in found.processes():
            process.kill()
        for folder in (found.root, found.memory):
            shutil.rmtree(folder, ignore_errors=True)


def started(ground: Ground, command: Command, cache: Path | None, output: IO[str]) -> subprocess.Popen[bytes]:
    """Start a command among the reader's files, in a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", command.module, *command.words], cwd=ground.project, env=ground.environ(cache=cache),
        stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
    )  # fmt: skip


def end_once(
    ground: Ground, name: str, number: signal.Signals, longest_s: float, tally: Tally, config_done: str = ""
) -> None:
    """Start a command, end it at a time before `longest_s`, and count what is wrong then and after the next start."""
    if name == "down":
        pair.up()
    command, files = COMMANDS[name], _fresh_files(ground)
    cache = Path(tempfile.mkdtemp(dir=ground.root)) if name == "first up" else None
    with open(ground.root / "output", "w") as output:
        process = started(ground, command, cache, output)
        try:
            process.wait(longest_s)
        except subprocess.TimeoutExpired:
            tally.hit += 1
            _send(process, number)
        code = process.wait(LONGEST_S)
    tally.moments += 1
    tally.exit_codes[str(code)] = tally.exit_codes.get(str(code), 0) + 1
    said = (ground.root / "output").read_text(errors="replace")
    wrong = [] if is_right_code(command, number, code, said) else [f"exit code {code}: {said[-200:]}"]
    tally.codes_wrong += bool(wrong)
    _count(ground, tally)
    tally.files_wrong += bool(lost := files.wrong(config_done))
    for thing in (*wrong, *lost):
        tally.left[thing] = tally.left.get(thing, 0) + 1
    if cache is not None:
        shutil.rmtree(cache, ignore_errors=True)


def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal; Ctrl-C to the group, as a terminal does."""
    if number is signal.SIGINT:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.killpg(process.pid, number)
    else:
        process.send_signal(number)


def is_right_code(command: Command, number: signal.Signals, code: int, said: str) -> bool:
    """Whether a command that got a signal may exit so: as the signal has it, or done, and then it says so."""
    if code in (-number, 128 + number) or (code in command.by_signal and number is not signal.SIGKILL):
        return True
    return code == command.done and command.says in said


def _fresh_files(ground: Ground) -> Files:
    """The reader's files as they were at first."""
    shutil.rmtree(ground.project, ignore_errors=True)
    return made(ground.project)


def _count(ground: Ground, tally: Tally) -> None:
    """Count what remains. A pair that is up, because the signal came late, is taken down first."""
    if state_file().exists():
        pair.down()
    left = _until(ground.processes)
    tally.processes_left += bool(left)
    tally.folders_left_until_the_next_start += bool(ground.folders())
    sweep()
    folders = ground.folders()
    tally.folders_left += bool(folders)
    for thing in (*(f"process {' '.join(one.cmdline())[:80]}" for one in left), *(_kind(path) for path in folders)):
        tally.left[thing] = tally.left.get(thing, 0) + 1
    for one in left:
        one.kill()
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)
    if tally.moments % 10 == 0:
        try:
            pair.up()
        except KitError as error:
            tally.next_start_failed += 1
            tally.left[str(error)] = 1
        pair.down()


def _until(look: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    """The processes that remain when the waiting time is over; empty as soon as there are none."""
    deadline = time.monotonic() + GONE_S
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(QUIET_S)
    return found


def _kind(path: Path) -> str:
    return path.name.rpartition("-")[0] or path.name.partition(".")[0]


def whole(ground: Ground, name: str) -> tuple[float, str]:
    """How long a command takes here to be done, or to be up, and the configuration that it leaves."""
    if name == "lab":
        return 3 * whole(ground, "up")[0], ""
    files = _fresh_files(ground)
    cache = Path(tempfile.mkdtemp(dir=ground.root)) if name == "first up" else None
    if name == "down":
        pair.up()
    began = time.monotonic()
    with open(ground.root / "output", "w") as output:
        code = started(ground, COMMANDS[name], cache, output).wait(LONGEST_S)
    taken = time.monotonic() - began
    pair.down()
    said = (ground.root / "output").read_text(errors="replace")
    if code != COMMANDS[name].done or COMMANDS[name].says not in said:
        raise SystemExit(f"{name} exits with {code} where nothing ends it: {said[-2000:]}")
    return taken, files.config


def soak(
    commands: Sequence[str], signals: Sequence[str], moments: int, seed: int, within_s: float = LONGEST_S
) -> list[Tally]:
    """End each command with each signal at this many moments; return what remained."""
    drawn = random.Random(seed)
    tallies = []
    for name in commands:
        with ground() as place:
            pair.up()
            pair.down()
            taken, config_done = whole(place, name)
            longest = within_s if within_s < LONGEST_S else 1.1 * taken
            for word in signals:
                tally = Tally(name, word)
                tallies.append(tally)
                for _ in range(moments):
                    end_once(place, name, signal.Signals[word], drawn.uniform(0, longest), tally, config_done)
                    print(f"\r{name} {word} {tally.moments}", end="", file=sys.stderr)
                print(json.dumps(asdict(tally)), flush=True)
    return tallies


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit with 1 when something was left, or a next start failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--signals", nargs="+", choices=SIGNALS, default=list(SIGNALS))
    parser.add_argument("--seed", type=int, default=731)
    parser.add_argument("--within", type=float, default=LONGEST_S, metavar="S", help="only moments of the first S s")
    options = parser.parse_args(arguments)
    handlers = {**dict.fromkeys(ENDING, signal.SIG_DFL), signal.SIGINT: signal.default_int_handler}
    # A shell starts background jobs with some signals ignored, and the commands would inherit that.
    with signal_handlers(handlers, even_ignored=tuple(handlers)):
        tallies = soak(options.commands, options.signals, options.moments, options.seed, options.within)
    return int(any(tally.left for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
