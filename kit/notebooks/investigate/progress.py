"""The display of running notebooks, and the table at the end: live on a terminal, otherwise lines."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from kit.notebooks.cells import Claim, words
from kit.notebooks.investigate.results import Investigation, NotebookRun, Status
from kit.probes.redact import redact
from kit.report.printable import printable, shortened

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STILL_RUNNING_S = 15.0
"""How often a log without a terminal is told which cells run."""
LOG_WIDTH = 140
_WIDE = 120  # columns of a terminal in which no name is cut
_TEXT_AT_MOST = 2000  # characters of foreign text
MARKS = {Status.HELD: "[green]held[/]", Status.FELL: "[red]FELL[/]", Status.COULD_NOT_RUN: "[red]COULD NOT RUN[/]"}


@dataclass(slots=True)
class _Running:
    began: float
    cell: str = "the kernel starts"
    cell_began: float = 0.0
    held: int = 0
    fell: int = 0


def console() -> Console:
    """Return a console for standard output: as wide as the terminal, or LOG_WIDTH for a log."""
    from rich.console import Console

    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=LOG_WIDTH)


@dataclass(slots=True)
class Progress:
    """Shows which notebooks and cells are running, and for how long. Its methods are thread-safe.

    With a label, which stands before each name, it prints lines: a terminal has only one live display.
    """

    console: Console
    waiting: int
    label: str = ""
    running: dict[str, _Running] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _live: Any = None
    _done: threading.Event = field(default_factory=threading.Event)
    _speaker: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal and not self.label:
            from rich.live import Live

            self._live = Live(get_renderable=self._now, console=self.console, refresh_per_second=5, transient=True)
            self._live.start()
        else:
            self._speaker = threading.Thread(target=self._say_what_runs, name="kit-progress", daemon=True)
            self._speaker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._done.set()
        if self._live is not None:
            self._live.stop()
        if self._speaker is not None:
            self._speaker.join()

    def notebook_started(self, name: str, worker: str = "") -> None:
        """A notebook begins; it begins again if the worker that ran it was lost."""
        with self._lock:
            now = time.monotonic()
            again = name in self.running
            self.running[name] = _Running(now, cell_began=now)
            self.waiting -= not again
            if self._live is None or again:
                what = "begins again" if again else "begins"
                where = f" on {one_line(worker)}" if worker else ""
                self.console.print(f"{self._named(name)}: {what}{where}", soft_wrap=True)

    def cell_started(self, name: str, label: str, number: int, count: int) -> None:
        """Code cell `number` of `count` of a notebook begins."""
        with self._lock:
            self.running[name].cell = one_line(f"{label} of {count}")
            self.running[name].cell_began = time.monotonic()

    def claim_decided(self, name: str, claim: Claim) -> None:
        """A notebook has decided a claim."""
        with self._lock:
            self.running[name].held += claim.held
            self.running[name].fell += not claim.held
            mark = "[green]held[/]" if claim.held else "[red]FELL[/]"
            sentence = f"{one_line(claim.id)}  [dim]{one_line(claim.claim)}[/]"
            self.console.print(f"{self._named(name)}: {mark}  {sentence}", soft_wrap=True)

    def notebook_ended(self, run: NotebookRun) -> None:
        """A notebook has ended."""
        with self._lock:
            if self.running.pop(run.name, None) is None:  # it never began
                self.waiting -= 1
            because = f"  {one_line(run.reason)}" if run.reason else ""
            came_to = f"{MARKS[run.status]} in {run.seconds:.1f} s{because}"
            self.console.print(f"{self._named(run.name)}: {came_to}", soft_wrap=True)
            for remark in run.remarks:
                self.console.print(f"{self._named(run.name)}: [yellow]{one_line(remark)}[/]", soft_wrap=True)

    def _named(self, name: str) -> str:
        return one_line(f"{self.label}{name}")

    def _now(self) -> RenderableType:
        from rich.spinner import Spinner
        from rich.table import Table

        with self._lock:
            now = time.monotonic()
            grid = Table.grid(padding=(0, 2))
            for name, at in self.running.items():
                claims = f"{at.held} held" + (f", [red]{at.fell} fell[/]" if at.fell else "")
                took = f"{now - at.cell_began:.0f} s in this cell, {now - at.began:.0f} s in all"
                grid.add_row(Spinner("dots"), f"[bold]{one_line(name)}[/]", at.cell, f"[dim]{took}[/]", claims)
            if self.waiting:
                grid.add_row("", f"[dim]{self.waiting} waiting[/]")
            return grid

    def _say_what_runs(self) -> None:
        while not self._done.wait(STILL_RUNNING_S):
            with self._lock:
                now = time.monotonic()
                if self.waiting and not self.running:
                    self.console.print(f"{self.label}{self.waiting} notebooks wait for a worker")
                for name, at in self.running.items():
                    took = f"{now - at.cell_began:.0f} s so far"
                    self.console.print(f"{self._named(name)}: {at.cell}, {took}", soft_wrap=True)


def summary(investigation: Investigation, console: Console) -> None:
    """Print the table of claims, and in the last lines the result and the path of the report."""
    from rich import box
    from rich.table import Table

    if investigation.notebooks:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        has_room = console.width >= _WIDE
        for column in ("notebook", "claim", "expectation", "observation", "outcome", "s"):
            is_name = column in ("notebook", "claim")
            table.add_column(
                column, justify="right" if column == "s" else "left", overflow="fold", no_wrap=is_name and has_room
            )
        for run in investigation.notebooks:
            _add_rows(table, run)
        console.print(table)
    print_result(investigation, f"All {investigation.held} claims held", console)


def print_result(result: Investigation, all_held: str, console: Console) -> None:
    """Print the last lines on a run: `all_held`, or what is red and what to do; and the path of the report."""
    if result.exit_code == 0:
        console.print(f"[green]{all_held}[/] in {result.seconds:.1f} s.")
    else:
        what = "A claim fell" if result.exit_code == 1 else "It could not run"
        remedy = f" To do: {one_line(result.remedy)}." if result.remedy else ""
        console.print(f"[red]{what}:[/] {one_line(result.reason.rstrip('.'))}.{remedy}", soft_wrap=True)
    if result.folder is not None:
        console.print(f"Read on: {one_line(str(result.folder / 'index.html'))}", soft_wrap=True)


def _add_rows(table: Any, run: NotebookRun) -> None:
    for claim in run.claims:
        outcome = "[green]held[/]" if claim.held else "[red]FELL[/]"
        seen = (one_line(words(claim.expected)), one_line(words(claim.observed)))
        table.add_row(one_line(run.name), one_line(claim.id), *seen, outcome, f"{claim.seconds:.1f}")
    for claim in run.unreached:
        wanted = one_line(str(claim.expected))
        table.add_row(one_line(run.name), one_line(claim.id), wanted, "", "[red]never reached[/]", "")
    if run.status is Status.COULD_NOT_RUN:
        table.add_row(one_line(run.name), "", "", one_line(run.reason), MARKS[run.status], f"{run.seconds:.1f}")
    table.add_section()


def one_line(text: str) -> str:
    """Return foreign text as one line, without control characters, markup or secrets."""
    from rich.markup import escape

    return escape(shortened(" ".join(printable(redact(text)).split()), _TEXT_AT_MOST))
