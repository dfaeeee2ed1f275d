"""The costs of the kit compared with the same work without it: `make bench`.

Real processes, alternating with what they are compared to, medians. Prints a table and writes build/bench.json, after
each row, so that an error or Ctrl-C loses none. `--only` measures some parts.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import json
import os
import platform
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import bench_board
import bench_diagnose
import bench_instructions
import bench_kernels
import bench_trace
import bench_trials
from bench_figures import Figure, in_turn

from kit.pair import binaries, open_pair, places
from kit.pair.settings import as_arguments, embedded_settings

KIT = [sys.executable, "-m", "kit"]
HELP_CPU_S = 0.2
START_TIMES = 1.5
LIBRARIES = ("click", "msgspec", "psycopg", binaries.DISTRIBUTION, "fastapi", "sqlalchemy", "asyncpg", "pytest")


def cpu_of(command: list[str]) -> float:
    """Run a command and return its processor time, user plus system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands(runs: int) -> Iterator[Figure]:
    """Yield the figures of commands that a person waits for."""
    bare = [sys.executable, "-c", "pass"]
    for name in ("--help", "status"):
        seconds, bare_s = in_turn(lambda name=name: cpu_of([*KIT, name]), lambda: cpu_of(bare), runs)
        yield milliseconds(f"kit {name}, processor time", seconds, "python -c pass", bare_s, HELP_CPU_S, runs)


def milliseconds(what: str, value_s: float, against: str, against_s: float, most_s: float, runs: int) -> Figure:
    """Return a figure in milliseconds."""
    return Figure(what, value_s * 1000, against, against_s * 1000, most_s * 1000, "ms", runs)


def start_of_a_pair() -> float:
    """Return the seconds from the request for a pair until both servers have answered."""
    began = time.perf_counter()
    with open_pair("embedded"):
        return time.perf_counter() - began


def first_start_of_a_pair() -> float:
    """Return the same without a kept template."""
    with tempfile.TemporaryDirectory() as cache:
        before = os.environ.get("XDG_CACHE_HOME")
        os.environ["XDG_CACHE_HOME"] = cache
        try:
            return start_of_a_pair()
        finally:
            del os.environ["XDG_CACHE_HOME"]
            if before is not None:
                os.environ["XDG_CACHE_HOME"] = before


class ByHand:
    """The same two servers, started with Postgres's own programs."""

    def __init__(self) -> None:
        self.user = places.account()
        self.binaries = binaries.find(self.user)
        self.folder = Path(tempfile.mkdtemp(prefix="kit-bench-", dir=places.choose_data_base(self.user)))
        self.number = 0
        if self.user is not None:
            os.chown(self.folder, self.user.uid, self.user.gid)

    def run(self, *commands: list[str]) -> None:
        """Run commands in parallel, as a user that Postgres accepts."""
        options = self.user.as_popen() if self.user is not None else {}
        environ = binaries.server_environment()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        running = [subprocess.Popen(command, env=environ, cwd=self.folder, **options, **quiet) for command in commands]
        if any([process.wait() for process in running]):
            raise SystemExit(f"a program of Postgres failed: {commands}")

    def data(self) -> dict[str, Path]:
        """Return the paths of two new data directories."""
        self.number += 1
        return {side: self.folder / f"{side}-{self.number}" for side in ("production", "test")}

    def initdb(self, data: dict[str, Path]) -> None:
        """Create both data directories in parallel."""
        options = ["-N", "--locale=C", "-E", "UTF8", "-A", "scram-sha-256", "--pwfile=password", "-U", "postgres"]
        (self.folder / "password").write_text(secrets.token_hex(8))
        self.run(*([self.binaries.initdb, *options, "-D", str(place)] for place in data.values()))

    def start(self, data: dict[str, Path]) -> None:
        """Start both servers one after the other, and wait for each."""
        for side, place in data.items():
            settings = embedded_settings(side, "bench", free_port(), self.binaries.version)
            options = " ".join(f"'{argument}'" for argument in as_arguments(settings))
            self.run([self.pg_ctl, "start", "-w", "-D", str(place), "-l", str(place) + ".log", "-o", options])

    def stop(self, data: dict[str, Path]) -> None:
        """Stop both servers."""
        self.run(*([self.pg_ctl, "stop", "-m", "fast", "-D", str(place)] for place in data.values()))

    @property
    def pg_ctl(self) -> str:
        """The path of `pg_ctl`."""
        return str(self.binaries.directory / "pg_ctl")

    def first_start(self) -> float:
        """Return the seconds for two parallel runs of `initdb` and the start of both servers."""
        data = self.data()
        began = time.perf_counter()
        self.initdb(data)
        self.start(data)
        seconds = time.perf_counter() - began
        self.stop(data)
        return seconds

    def ready_start(self, data: dict[str, Path]) -> float:
        """Return the seconds for the start of two existing data directories."""
        began = time.perf_counter()
        self.start(data)
        seconds = time.perf_counter() - began
        self.stop(data)
        return seconds


def free_port() -> int:
    """Return a port that nothing listens on now."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def by_hand() -> Iterator[ByHand]:
    """Postgres's own programs in a folder that is removed at the end."""
    hand = ByHand()
    try:
        yield hand
    finally:
        shutil.rmtree(hand.folder)


def starts(runs: int) -> Iterator[Figure]:
    """Yield the figures of the pair's first start and of a later one."""
    with by_hand() as hand:
        seconds, other_s = in_turn(first_start_of_a_pair, hand.first_start, runs)
        most_s = START_TIMES * other_s
        yield milliseconds("first start of the pair", seconds, "initdb twice, then start", other_s, most_s, runs)
        ready = hand.data()
        hand.initdb(ready)
        start_of_a_pair()  # the first start in this user's cache may have to create the template
        seconds, other_s = in_turn(start_of_a_pair, lambda: hand.ready_start(ready), runs)
        most_s = START_TIMES * other_s
        yield milliseconds("warm start of the pair", seconds, "pg_ctl start, twice", other_s, most_s, runs)


def machine() -> dict[str, object]:
    """Return the properties of the machine that the figures depend on."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    python = platform.python_version()
    return {"system": platform.platform(), "processors": os.cpu_count(), "python": python, "versions": versions}


# name -> the figures, by how often each is measured and whether the largest plan and suite are left out
PARTS: dict[str, Callable[[int, bool], Iterator[Figure]]] = {
    "commands": lambda runs, short: commands(runs),
    "starts": lambda runs, short: starts(runs),
    "kernels": lambda runs, short: bench_kernels.figures(runs),
    "board": lambda runs, short: bench_board.figures(runs),
    "trials": lambda runs, short: bench_trials.figures(runs, bench_trials.SIZES[: -1 if short else None]),
    "trace": lambda runs, short: bench_trace.traced(runs, short=short),
    "guard": lambda runs, short: bench_trace.guarded(runs),
    "instructions": lambda runs, short: bench_instructions.figures(),
    "diagnose": lambda runs, short: bench_diagnose.figures(short=short),
}


def main() -> None:
    """Measure, print the rows as they come, and write the file."""
    parser = argparse.ArgumentParser(description="Measure what the kit costs.")
    parser.add_argument("--runs", type=int, default=7, help="times that each thing is measured (default: 7)")
    parser.add_argument("--short", action="store_true", help="leave out the largest plan and suite, which take minutes")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"), help="the file to write")
    arguments = parser.parse_args()
    about = machine()
    print(f"{about['system']}, {about['processors']} processors, Python {about['python']}")
    print(f"{'what':<30} {'':>8}     {'against':<26} {'':>8} {'times':>6} {'at most':>8}")
    rows = []
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    for figure in itertools.chain(*(PARTS[name](arguments.runs, arguments.short) for name in arguments.only or PARTS)):
        rows.append(asdict(figure) | {"held": figure.held})
        print(
            f"{figure.what:<30} {figure.value:>8.1f} {figure.unit}  {figure.against:<26} {figure.against_value:>8.1f}"
            f" {figure.times:>6.2f} {figure.most:>8.1f}{'' if figure.held else '  missed'}",
            flush=True,
        )
        seen = {"format": 2, **about, "load": os.getloadavg(), "rows": rows}
        arguments.out.write_text(json.dumps(seen, indent=1) + "\n")
    print(f"Written to {arguments.out}")


if __name__ == "__main__":
    main()
