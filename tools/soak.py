"""The kit under load: `make soak`.

Trials, starts of a pair, concurrent runs of notebooks, traces and diagnoses, each many times: no answer may change, no
memory, file or connection may accumulate, and no folder, process or shared memory may remain. Finally, commands are
ended at random moments (tools/soak_kills.py). Prints a table and writes build/soak.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import soak_kills
import soak_loads
from soak_left import Place, place
from soak_rows import Row

from kit.errors import KitError

ROOT = Path(__file__).parents[1]
WIDTHS = (46, 6, 30, 40)


class Part(NamedTuple):
    """One kind of load: its function, and the number of repetitions, normally and with --short."""

    run: Callable[[Place, int], Iterator[Row]]
    times: int
    short: int


def kills(place: Place, times: int) -> Iterator[Row]:
    """End each command with each signal at this many random moments."""
    for tally in soak_kills.soak(tuple(soak_kills.COMMANDS), soak_kills.SIGNALS, times, seed=731):
        left = tally.processes_left + tally.folders_left + tally.next_start_failed
        seen = f"{tally.processes_left} processes, {tally.folders_left} folders, {tally.next_start_failed} bad starts"
        what, wanted = f"kit {tally.command}, ended by {tally.signal}", "nothing left, the next start works"
        yield Row(what, tally.moments, wanted, seen, not left)


PARTS = {
    "trials": Part(soak_loads.trials, 1000, 8),
    "pairs": Part(soak_loads.pairs, 100, 2),
    "investigate": Part(soak_loads.investigations, 8, 2),
    "traces": Part(soak_loads.traces, 100, 3),
    "diagnoses": Part(soak_loads.diagnoses, 20, 2),
    "kills": Part(kills, 100, 1),
}
LONG = ("kills",)  # left out with --short


def lines(row: Row) -> list[str]:
    """One row of the table, wrapped into as many lines as it needs."""
    cells = (row.what, str(row.times), row.wanted, row.seen)
    wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, WIDTHS, strict=True)]
    height = max(map(len, wrapped))
    columns = [[*cell, *[""] * (height - len(cell))] for cell in wrapped]
    marks = ["held" if row.held else "FELL", *[""] * (height - 1)]
    return [
        "  ".join(f"{text:<{width}}" for text, width in zip(line, WIDTHS, strict=True)) + f"  {mark}"
        for line, mark in zip(zip(*columns, strict=True), marks, strict=True)
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run the loads, print the rows as they come, and write the JSON; return 1 if a row does not hold."""
    parser = argparse.ArgumentParser(description="Load the kit, and see what changes and what is left.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"what to do: {', '.join(PARTS)}; all by default")
    parser.add_argument("--short", action="store_true", help="a handful of each")
    parser.add_argument("--times", type=int, metavar="N", help="so many of each, instead of its own number")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where servers keep their data; /dev/shm by default")
    parser.add_argument("--minutes", type=float, metavar="M", help="end each part when it has taken so long")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "soak.json", metavar="FILE")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.parts if name not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    began, rows = time.time(), []
    titles = zip(("what", "times", "wanted", "seen"), WIDTHS, strict=True)
    print("  ".join(f"{title:<{width}}" for title, width in titles))
    for name in chosen.parts or [name for name in PARTS if not (chosen.short and name in LONG)]:
        part = PARTS[name]
        times = chosen.times or (part.short if chosen.short else part.times)
        with place(chosen.data, (chosen.minutes or float("inf")) * 60) as there:
            for row in _rows(name, part, there, times):
                rows.append(row)
                print(*lines(row), sep="\n", flush=True)
                _write(chosen.json, began, rows)
    fallen = [row for row in rows if not row.held]
    print(f"\n{len(rows) - len(fallen)} of {len(rows)} rows held. {chosen.json}")
    return 1 if fallen else 0


def _rows(name: str, part: Part, there: Place, times: int) -> Iterator[Row]:
    """The rows of one part, and one more if the kit itself fails."""
    try:
        yield from part.run(there, times)
    except KitError as error:
        yield Row(name, times, "comes to its end", f"ended: {error}", False)


def _write(file: Path, began: float, rows: list[Row]) -> None:
    """Write the rows so far, so that an interrupted run has its rows."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"machine": _machine(), "began": began, "rows": [asdict(row) for row in rows]}))


def _machine() -> dict[str, object]:
    return {"system": platform.platform(), "python": platform.python_version(), "processors": os.cpu_count()}


if __name__ == "__main__":
    sys.exit(main())
