"""Run a class: start its seats, look after them, show what they have solved, and end them."""

from __future__ import annotations

import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from kit import processes
from kit.errors import ClassError
from kit.notebooks.classroom import folders, limits, records, state, table
from kit.notebooks.classroom.seats import Seat
from kit.notebooks.lab import require_lab
from kit.pair.state_files import only_one
from kit.workfolder import workfolder

EVERY_S = 2.0
"""How often the table is read again."""
READY_S = 180.0
_POLL_S = 0.1

Say = Callable[[str], None]


def run(folder: Path, count: int, *, first_port: int | None = None, resume: bool = False, say: Say) -> None:
    """Run a class of `count` seats in `folder` until it is ended by `kit class stop` or Ctrl-C.

    `say` gets the lines for the teacher: the links, and the table at the end. The records are removed at the end, the
    notebooks stay. Raises ClassError when it cannot be started; then nothing is left of it.
    """
    require_lab()
    limits.require_memory(count)
    ports = limits.ports(count, first_port)
    with workfolder("kit-class-") as own:
        with _pipe(own / state.END) as ending:
            with only_one():
                _refuse_second()
                is_new = not folder.exists()
                made = folders.make(folder.absolute(), count, resume=resume)
                seats = [Seat(path, port, own / path.name) for path, port in zip(made, ports, strict=True)]
                running = _keep(folder.absolute(), own, state.now(), seats)
            try:
                _open(running, seats, say)
            except BaseException:
                with _undisturbed():
                    _end(running, seats, lambda _: None)
                    _remove([] if resume else made, folder if is_new else None)
                raise
            try:
                _look_after(running, seats, ending)
            finally:
                with _undisturbed():
                    _end(running, seats, say)


def _undisturbed() -> AbstractContextManager[None]:
    """Ignore the signals that end a command, for a block that ends it."""
    return processes.signal_handlers(dict.fromkeys((signal.SIGINT, *processes.ENDING), signal.SIG_IGN))


def _remove(seats: Sequence[Path], folder: Path | None) -> None:
    """Remove new folders of seats that nobody has had a link to, and the class's folder if that is new, too."""
    for path in seats:
        shutil.rmtree(path, ignore_errors=True)
    if folder is not None and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _refuse_second() -> None:
    if (other := state.find()) is not None:
        raise ClassError(
            f"a class is running in {other.folder} since {other.since} UTC", wanted="one class at a time",
            remedy="kit class stop ends it, kit class status shows it",
        )


def _keep(folder: Path, own: Path, since: str, seats: Sequence[Seat]) -> state.Running:
    running = state.Running(folder, own, since, tuple(seat.described() for seat in seats))
    state.keep(running)
    return running


def _open(running: state.Running, seats: Sequence[Seat], say: Say) -> None:
    """Start all seats, wait until each is up, and say where they are."""
    say(f"Starting {len(seats)} seats, which takes some three seconds each.")
    for seat in seats:
        seat.start()
    _wait_until_up(seats)
    running = _keep(running.folder, running.own, running.since, seats)
    say(running.described())
    for line in state.links(running.seats):
        say(line)
    say("To end the class: kit class stop, or Ctrl-C here. Its table: kit class status")


def _wait_until_up(seats: Sequence[Seat]) -> None:
    deadline = time.monotonic() + READY_S
    while any(seat.state != "up" for seat in seats):
        for seat in seats:
            if seat.look() or time.monotonic() > deadline:
                raise seat.failure()
        time.sleep(_POLL_S)


def _look_after(running: state.Running, seats: Sequence[Seat], ending: int) -> None:
    """Start seats again that have ended, until the class is to end."""
    with _table_shown(running, seats) as show:
        try:
            while not select.select([ending], [], [], EVERY_S)[0]:
                for seat in seats:
                    _look_at(seat, lambda: _keep(running.folder, running.own, running.since, seats))
                show()
        except KeyboardInterrupt as interrupt:
            if type(interrupt) is not KeyboardInterrupt:  # another signal, which the command reports
                raise


def _look_at(seat: Seat, keep: Callable[[], object]) -> None:
    """Start a seat again that has ended, and `keep` each change of its state for other commands."""
    before = seat.state
    has_ended = seat.look()
    if seat.state != before:
        keep()
    if has_ended:
        seat.start_again()
        keep()


@contextmanager
def _table_shown(running: state.Running, seats: Sequence[Seat]) -> Iterator[Callable[[], None]]:
    """A function that shows the table on the terminal, in place of the one before; nothing where there is none."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        yield lambda: None
        return
    from rich.live import Live
    from rich.text import Text

    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda: live.update(
            Text("\n".join(_lines(running.folder, {seat.name: seat.state for seat in seats}))), refresh=True
        )


def _lines(folder: Path, states: Mapping[str, str]) -> list[str]:
    known = folders.tasks()
    return table.lines(records.read(folder, known), states, known)


def _end(running: state.Running, seats: Sequence[Seat], say: Say) -> None:
    for seat in seats:
        seat.ask_to_end()
    for seat in seats:
        seat.end()
    last = _lines(running.folder, {})
    folders.clear(running.folder)
    state.forget()
    for line in last:  # after all else, because it cannot be printed when its reader has gone
        say(line)


@contextmanager
def _pipe(path: Path) -> Iterator[int]:
    """A pipe in which one line ends the class."""
    os.mkfifo(path, 0o600)
    # Opened for reading and writing, so that it does not reach end of file when a writer closes it.
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
