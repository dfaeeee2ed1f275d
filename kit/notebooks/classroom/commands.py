"""What `kit class status`, `stop` and `join` do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kit.errors import ClassError
from kit.notebooks.classroom import folders, records, state, table
from kit.notebooks.classroom.records import Solved
from kit.notebooks.classroom.running import EVERY_S
from kit.notebooks.seat import Seat, Tasks
from kit.pair import Pair


@dataclass(frozen=True, slots=True)
class Found:
    """A class as it is now: its folder, the one that runs in this account if it is that, and what was solved."""

    folder: Path
    running: state.Running | None
    rows: list[Solved]
    known: dict[str, Tasks]

    def lines(self) -> list[str]:
        """The teacher's table."""
        return table.lines(self.rows, self._states(), self.known)

    def as_json(self) -> dict[str, object]:
        """The same as JSON."""
        return table.as_json(self.rows, self._states(), self.known)

    def _states(self) -> dict[str, str]:
        return self.running.states() if self.running is not None else {}


def find(folder: Path | None) -> Found | None:
    """The class in `folder`, or without one, the class that runs in this account; None if there is none.

    Raises ClassError for a folder without seats.
    """
    running = state.find()
    if folder is None:
        if running is None:
            return None
        folder = running.folder
    elif running is not None and running.folder != folder.absolute():
        running = None
    if not folders.seat_folders(folder):
        raise ClassError(
            f"{folder} has no seats", wanted="the folder of a class, with seat-01 and others in it",
            remedy="name it, or leave it out for the class that runs here",
        )
    known = folders.tasks()
    return Found(folder, running, records.read(folder, known), known)


def watch(folder: Path | None) -> None:
    """Show the table on the terminal until Ctrl-C, or the end of the class."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(highlight=False, markup=False), auto_refresh=False) as live:
        while (found := _seen(folder)) is not None:
            live.update(Text("\n".join(found.lines())), refresh=True)
            time.sleep(EVERY_S)


def _seen(folder: Path | None) -> Found | None:
    try:
        return find(folder)
    except ClassError:  # the class has ended since
        return None


def stop(found: Found) -> None:
    """End a class that runs here, with its servers; of one that does not, remove the records. Notebooks stay."""
    if found.running is not None:
        state.end(found.running)
    folders.clear(found.folder)


def join(shared: Path, folder: Path, say: Callable[[str], None]) -> tuple[Seat, Pair]:
    """Take a seat of the class in `shared`, with notebooks in `folder`, and leave a pair running for it."""
    from kit.pair import up

    seat = folders.join(shared, folder)
    say(f"You are {seat.name}. Your notebooks are in {folder}.")
    return seat, up()
