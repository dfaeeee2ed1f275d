"""Ends commands of the kit at random moments, and looks at what is left: processes, folders, memory, a pair that works.

    python tools/soak_kills.py --moments 100              each signal and command so often
    python tools/soak_kills.py --commands up --signals SIGKILL --seed 7

One moment is drawn for each ending, from the command's start to a little after it would be done. Then it is looked for
processes until there are none, or their time is up, and for folders before and after the sweep with which each start
begins; every tenth time a pair is started, too. Everything happens in folders of this program's own. A line for each
command and signal says how often something was left; lines come as they are done, so that what is interrupted counts.
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
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from kit import pair
from kit.errors import KitError
from kit.pair.places import state_file
from kit.pair.run import sweep
from kit.processes import ENDING, signal_handlers

KIT = Path(__file__).parents[1]
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")
# The arguments of each command; its duration is measured at the start of the run.
COMMANDS: Mapping[str, Sequence[str]] = {
    "up": ("up",),
    "first up": ("up",),
    "down": ("down",),
    "investigate": ("investigate", "notebooks/01_the_failure.ipynb", "-p", "repetitions", "1"),
    "lab": ("lab", "--no-browser"),
}
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
            "XDG_CACHE_HOME": str(cache or self.root / "cache"),
        }  # fmt: skip
        return kept | own

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
        """The folders that a start removes: pairs' data, and work folders."""
        places = (self.memory, self.root / "tmp")
        return [path for place in places for path in place.iterdir() if path.name.startswith("kit-")]


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


def run(ground: Ground, *arguments: str, **settings: Path | None) -> subprocess.CompletedProcess[str]:
    """Run a command of the kit."""
    return subprocess.run(
        [sys.executable, "-m", "kit", *arguments], cwd=KIT, env=ground.environ(**settings), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=LONGEST_S,
    )  # fmt: skip


def end_once(ground: Ground, name: str, number: signal.Signals, longest_s: float, tally: Tally) -> None:
    """Start a command, end it before `longest_s`, and count what remains then and after the next start."""
    if name == "down":
        pair.up()
    cache = Path(tempfile.mkdtemp(dir=ground.root)) if name == "first up" else None
    arguments = [*COMMANDS[name], *(("--out", str(ground.root / "runs")) if name == "investigate" else ())]
    with open(ground.root / "output", "w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "kit", *arguments], cwd=KIT, env=ground.environ(cache=cache),
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(longest_s)
        except subprocess.TimeoutExpired:
            tally.hit += 1
            process.send_signal(number)
        code = process.wait(LONGEST_S)
    tally.moments += 1
    tally.exit_codes[str(code)] = tally.exit_codes.get(str(code), 0) + 1
    _count(ground, tally)
    if cache is not None:
        shutil.rmtree(cache, ignore_errors=True)


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


def duration_s(ground: Ground, name: str) -> float:
    """The seconds that a command takes here until it is done, or up."""
    began = time.monotonic()
    cache = Path(tempfile.mkdtemp(dir=ground.root)) if name == "first up" else None
    if name == "lab":
        return 3 * duration_s(ground, "up")
    if name == "down":
        pair.up()
        began = time.monotonic()
    run(ground, *COMMANDS[name], cache=cache)
    taken = time.monotonic() - began
    pair.down()
    return taken


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
            longest = within_s if within_s < LONGEST_S else 1.1 * duration_s(place, name)
            for word in signals:
                tally = Tally(name, word)
                tallies.append(tally)
                for _ in range(moments):
                    end_once(place, name, signal.Signals[word], drawn.uniform(0, longest), tally)
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
    return int(any(tally.left or tally.processes_left or tally.next_start_failed for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
