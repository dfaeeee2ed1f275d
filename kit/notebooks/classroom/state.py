"""The class that runs in this account: found, described and ended by other commands through its state file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from kit.errors import ClassError
from kit.pair import places
from kit.pair.state_files import write as write_file
from kit.typed import typed
from kit.workfolder import is_held

FORMAT = 1
END = "end"
"""The pipe in the class's own folder: whatever is written to it ends the class."""
_END_S = 120.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class SeatState:
    """A seat: its name, the port and the token of its JupyterLab, and whether it is starting, up or down."""

    seat: str
    port: int
    token: str
    state: str

    @property
    def link(self) -> str:
        """The URL that opens the seat, with its token."""
        return f"http://127.0.0.1:{self.port}/lab?token={self.token}"


@dataclass(frozen=True, slots=True)
class Running:
    """A running class: the folder of its seats, its own folder, whose lock it holds, and when it began (UTC)."""

    folder: Path
    own: Path
    since: str
    seats: tuple[SeatState, ...]

    def states(self) -> dict[str, str]:
        """The state of each seat, by its name."""
        return {one.seat: one.state for one in self.seats}

    def described(self) -> str:
        """One line: where the class is, and since when."""
        return f"The class is in {self.folder}, with {len(self.seats)} seats, since {self.since} UTC."


def now() -> str:
    """The time in UTC, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime())


def state_file() -> Path:
    """The path of the state file, which need not exist."""
    return places.state_file().with_name("class.json")


def keep(running: Running) -> None:
    """Write the state file. It has tokens, so that only this user can read it."""
    content = {**asdict(running), "folder": str(running.folder), "own": str(running.own), "format": FORMAT}
    write_file(places.state_directory() / state_file().name, json.dumps(content, indent=1))


def forget() -> None:
    """Remove the state file."""
    with suppress(OSError):  # the next start finds that nobody holds the folder that it names
        state_file().unlink()


def find() -> Running | None:
    """The class that runs in this account, or None; the file of one that was killed does not count."""
    path = state_file()
    try:
        found: Any = json.loads(path.read_text("utf-8", "surrogateescape"))
        if found.pop("format") != FORMAT:
            raise ValueError("another format")
        running = typed({**found, "folder": Path(found["folder"]), "own": Path(found["own"])}, Running)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError,
            msgspec.ValidationError) as error:  # fmt: skip
        raise ClassError(
            f"{path} is damaged: {error}", wanted=f"what kit class start writes there (format {FORMAT})",
            remedy="end the process of kit class start, if there is one, and remove the file",
        ) from error
    return running if is_held(running.own) else None


def end(running: Running) -> None:
    """End a running class and wait until all of it has ended. Raises ClassError when that takes too long."""
    with suppress(OSError):  # it is ending already
        pipe = os.open(running.own / END, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(pipe, b"end\n")
        finally:
            os.close(pipe)
    deadline = time.monotonic() + _END_S
    while is_held(running.own):
        if time.monotonic() > deadline:
            raise ClassError(
                f"the class in {running.folder} did not end within {_END_S:.0f} s",
                remedy="end the process of kit class start; the seats end with it",
            )
        time.sleep(_POLL_S)


def links(seats: Sequence[SeatState]) -> list[str]:
    """A line for each seat with the URL that opens it. It has the seat's token."""
    return [f"{one.seat}  {one.link}" for one in seats]
