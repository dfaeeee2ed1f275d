"""The loads of tools/soak.py: trials, starts of a pair, concurrent runs of notebooks, traces and diagnoses."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg
from soak_left import Place
from soak_rows import Row, counted_row, flat

from kit.evidence.verdict import isolation
from kit.pair import Pair, open_pair
from kit.specimens.trial import Trial, plan
from kit.tracing import ask, trace
from kit.trials import fork_server, slot_pool
from kit.trials.runner import run_all

KIT = [sys.executable, "-m", "kit"]
ROOT = Path(__file__).parents[1]
SEATS = 2
BATCH = 20
TRIALS = (
    *plan(mechanisms=[("ci_variable", "global_engine"), ()], selections=["individual"], ways=["by_hand"]),
    *plan(mechanisms=[("ci_variable", "global_engine"), ()], selections=["suite"], ways=["ci"]),
)
NOTEBOOK = ROOT / "notebooks" / "01_the_failure.ipynb"
SUITE = {
    "shop.py": """\
        import os, sqlite3

        def count():
            connection = sqlite3.connect(os.environ.get("SHOP_DATABASE", "production.db"))
            try:
                return connection.execute("select count(*) from orders").fetchone()[0]
            finally:
                connection.close()
        """,
    "test_shop.py": """\
        import os, sqlite3

        import shop

        def test_own(tmp_path):
            sqlite3.connect(tmp_path / "own.db").execute("create table orders (number)")

        def test_count():
            assert shop.count() == 3
        """,
}


def trials(place: Place, times: int) -> Iterator[Row]:
    """Trials on one pair, two at a time: their verdicts, and the resources of the kit and the servers."""
    verdicts: dict[Trial, Counter[str]] = {trial: Counter() for trial in TRIALS}
    memory, files, connections = [], [], []
    with open_pair("embedded") as pair:
        done = 0
        while done < times and not place.is_over:
            batch = [TRIALS[number % len(TRIALS)] for number in range(done, min(done + BATCH, times))]
            for evidence in run_all(batch, pair, jobs=SEATS):
                assert evidence.trial is not None
                verdicts[evidence.trial][isolation(evidence).verdict] += 1
            done += len(batch)
            memory.append(_megabytes())
            files.append(psutil.Process().num_fds())
            connections.append(_connections(pair))
        slot_pool.close()
        fork_server.close_idle()
    times = done
    common = {trial: found.most_common(1)[0] for trial, found in verdicts.items() if found}
    wrong = [
        f"{' '.join(trial.mechanisms) or 'clean'}, {trial.selection}: {dict(found)}"
        for trial, found in verdicts.items() if len(found) > 1 or "UNRESOLVED" in found
    ]  # fmt: skip
    alike = sum(count for verdict, count in common.values() if verdict != "UNRESOLVED")
    yield counted_row("trials: verdicts", "as for every other time", alike, times, wrong)
    yield flat("trials: memory of the kit and its parents", times, memory, "MB", growth=True)
    yield flat("trials: open files", times, files, "")
    yield flat("trials: connections to the servers", times, connections, "")
    yield place.left("trials", times)


def pairs(place: Place, times: int) -> Iterator[Row]:
    """Starts of a pair, alternately in this process and by `kit up` and `kit down`."""
    wrong, files, memory = [], [], []
    for number in range(times):
        if place.is_over:
            break
        if number % 2:
            up, down = (_kit(place, command) for command in ("up", "down"))
            wrong += [_last(done) for done in (up, down) if done.returncode]
        else:
            with open_pair("embedded") as pair:
                if {side.name: _rows(side) for side in pair.sides} != _ROWS:
                    wrong.append("other rows than a new pair has")
        files.append(psutil.Process().num_fds())
        memory.append(_megabytes())
    times = len(files)
    yield counted_row("pairs: starts and ends", "both servers answer, both end", times - len(wrong), times, wrong)
    yield flat("pairs: memory of the kit", times, memory, "MB", growth=True)
    yield flat("pairs: open files", times, files, "")
    yield place.left("pairs", times)


def investigations(place: Place, times: int) -> Iterator[Row]:
    """Concurrent runs of `kit investigate` in one checkout, with one folder of runs."""
    out = place.folder / "runs"
    command = [*KIT, "investigate", str(NOTEBOOK), "-p", "repetitions", "1", "--jobs", "1", "--out", str(out)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    started = [subprocess.Popen(command, cwd=ROOT, env=place.environ, **pipes) for _ in range(times)]
    outputs = [process.communicate()[0] for process in started]
    wrong = [
        f"exit code {process.returncode}: {(output.strip() or '?').splitlines()[-1]}"
        for process, output in zip(started, outputs, strict=True) if process.returncode
    ]  # fmt: skip
    yield counted_row("kit investigate at once: claims", "all held", times - len(wrong), times, wrong)
    whole = [path for path in out.iterdir() if not path.is_symlink() and _is_whole(path)] if out.is_dir() else []
    is_latest = bool(whole) and (out / "latest").resolve() in [path.resolve() for path in whole]
    yield Row(
        "kit investigate at once: folders of runs", times, f"{times} whole ones, latest one of them",
        f"{len(whole)}, latest {'one of them' if is_latest else 'is none of them'}", len(whole) == times and is_latest,
    )  # fmt: skip
    yield place.left("kit investigate at once", times)


def traces(place: Place, times: int) -> Iterator[Row]:
    """Traces of one suite in this process; each answer is compared with the first."""
    folder, command = _suite(place)
    answers: list[dict[str, Any]] = []
    memory, files = [], []
    for _ in range(times):
        if place.is_over:
            break
        found = ask(trace(command, folder=folder, quiet=True), (), folder)
        answers.append({
            "databases": sorted(database.name.rpartition("/")[2] for database in found.databases),
            "findings": sorted(finding.kind for finding in found.findings),
            "outcomes": sorted((one.test, one.outcome) for one in found.evidence.outcomes if one.when == "call"),
            "not seen": [str(gap) for gap in found.not_seen],
        })
        memory.append(_megabytes())
        files.append(psutil.Process().num_fds())
    times = len(answers)
    wrong = [json.dumps(answer) for answer in answers if answer != answers[0]]
    yield counted_row("traces: answers", "as for the first time", times - len(wrong), times, wrong[:3])
    yield flat("traces: memory of the kit", times, memory, "MB", growth=True)
    yield flat("traces: open files", times, files, "")
    yield place.left("traces", times)


def diagnoses(place: Place, times: int) -> Iterator[Row]:
    """Diagnoses of one suite, alternately with and without --stop; each must prove the cause."""
    folder, command = _suite(place)
    ended = Counter[str]()
    for number in range(times):
        if place.is_over:
            break
        guarded = ["--stop"] if number % 2 else []
        allow = ["--allow", f"{place.folder}/pytest/*"]
        done = _kit(place, "diagnose", *guarded, *allow, "--", *command, folder=folder)
        ended[f"{done.stdout.partition(chr(10))[0]}, exit code {done.returncode}"] += 1
    times = ended.total()
    right = ended.pop("PROVED, exit code 1", 0)
    yield counted_row("kit diagnose: answers", "PROVED", right, times, list(ended))
    yield place.left("kit diagnose", times)


_ROWS = {"production": 731, "test": 0}


def _rows(side: Any) -> int:
    with psycopg.connect(side.url()) as connection:
        return _number(connection, "select count(*) from sites")


def _suite(place: Place) -> tuple[Path, tuple[str, ...]]:
    folder = place.folder / "suite"
    folder.mkdir(exist_ok=True)
    for name, text in SUITE.items():
        (folder / name).write_text(textwrap.dedent(text))
    with sqlite3.connect(folder / "production.db") as connection:
        connection.execute("create table if not exists orders (number)")
        connection.execute("delete from orders")
        connection.executemany("insert into orders values (?)", [(1,), (2,), (3,)])
    connection.close()
    plain = ("-q", "-p", "no:cacheprovider", f"--basetemp={place.folder / 'pytest'}")
    return folder, (sys.executable, "-m", "pytest", *plain)


def _kit(place: Place, *arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environ = {**place.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([*KIT, *arguments], cwd=folder, env=environ, capture_output=True, text=True)


def _last(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip() or done.stdout.strip() or "?").splitlines()[-1]


def _megabytes() -> float:
    """The memory of this process and its descendants, without the servers, in MB."""
    total = 0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        try:
            if not process.name().startswith("postgres"):
                total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


def _connections(pair: Pair) -> int:
    count = 0
    for side in pair.sides:
        assert side.admin is not None
        with psycopg.connect(side.admin) as connection:
            count += _number(
                connection, "select count(*) from pg_stat_activity "
                "where backend_type = 'client backend' and pid <> pg_backend_pid()",
            )  # fmt: skip
    return count


def _number(connection: psycopg.Connection[Any], question: LiteralString) -> int:
    row = connection.execute(question).fetchone()
    assert row is not None
    return int(row[0])


def _is_whole(run: Path) -> bool:
    return all((run / name).is_file() for name in ("index.html", "junit.xml"))
