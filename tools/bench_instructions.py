"""What `kit trace` and the guard add to a test, in instructions, which the machine's load does not change.

Requires valgrind, which counts them. Not counted: the servers, the kernel, and waiting.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench_figures import Figure
from bench_trace import GUARD_TIMES, PYTEST, TRACE_TIMES, TRACED, Suite, suite_of

# The difference between two sizes is the cost of tests without the start.
SIZES = (20, 120)
MILLION = 1_000_000
FOUND = re.compile(r"I\s+refs:\s+([\d,]+)")
VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
COUNTING = ("env", "PYTHONHASHSEED=0", *VALGRIND)
WITHOUT = ("-p", "no:kit-db-guard")


def figures() -> Iterator[Figure]:
    """Yield the instructions of a traced and of a guarded test, compared with a plain one; none without valgrind."""
    if shutil.which(VALGRIND[0]) is None:
        return
    for of, one_engine in (("", False), (" of one engine", True)):
        totals = [_totals(size, one_engine) for size in SIZES]
        plain, traced, guarded = ((more - less) / (SIZES[1] - SIZES[0]) for less, more in zip(*totals, strict=True))
        yield _figure(f"a test{of}, traced", traced, plain, TRACE_TIMES)
        yield _figure(f"a test{of}, guarded", guarded, plain, GUARD_TIMES)


def _figure(what: str, count: float, plain: float, times: float) -> Figure:
    return Figure(what, count / MILLION, "without", plain / MILLION, times * plain / MILLION, "M instructions", 1)


def _totals(size: int, one_engine: bool) -> tuple[int, int, int]:
    """The instructions of a whole suite: plain, traced, guarded."""
    with suite_of(size, one_engine=one_engine) as suite:
        return (
            _count(suite, (), (*PYTEST, *WITHOUT)),
            _count(suite, TRACED[: -len(PYTEST)], (*PYTEST, *WITHOUT)),
            _count(suite, (), suite.guarded),
        )


def _count(suite: Suite, before: Sequence[str], command: Sequence[str]) -> int:
    """Count the instructions of a command; those of `before`, which starts it, are not counted."""
    with tempfile.TemporaryDirectory(prefix="kit-bench-") as folder:
        log = Path(folder) / "log"
        suite.run((*before, *COUNTING, f"--log-file={log}", *command))
        found = FOUND.search(log.read_text())
    if found is None:
        raise SystemExit(f"valgrind counted nothing: {log}")
    return int(found[1].replace(",", ""))
