"""The folders of a class: one for each seat, with a student's edition of the notebooks, none of which is replaced."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from kit.errors import ClassError
from kit.notebooks import seat as seats
from kit.notebooks.editions import Edition, write
from kit.notebooks.originals import originals
from kit.notebooks.seat import RECORD, Seat, Tasks

PREFIX = "seat-"
_READABLE = 0o644  # on a hub, the teacher's account reads what a participant's writes
_ENTERED = 0o755


@cache
def tasks() -> dict[str, Tasks]:
    """The predictions and exercises of the kit's own notebooks, by the notebooks' names."""
    return {path.stem: Tasks(*(tuple(_ids(path, function)) for function in ("predict", "exercise")))
            for path in originals()}  # fmt: skip


def _ids(notebook: Path, function: str) -> Iterator[str]:
    """The ids with which the code cells of a notebook call `function`."""
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function:
                (id,) = (argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant))
                yield str(id)


def make(folder: Path, count: int, *, resume: bool) -> list[Path]:
    """Make the folders of `count` seats with their notebooks and empty records; return them.

    With `resume`, folders that are there are used as they are: only what is missing is added. Raises ClassError when
    one is there without it, and when one cannot be written.
    """
    wanted = [folder / f"{PREFIX}{number:02}" for number in range(1, count + 1)]
    taken = [path for path in wanted if path.is_dir() and any(path.iterdir())]
    if taken and not resume:
        raise ClassError(
            f"{taken[0]} has work in it", wanted="a folder without seats",
            remedy="name another folder, or go on with these seats by --resume",
        )
    for path in wanted:
        _furnish(path, path, Path(RECORD))
    return wanted


def join(shared: Path, folder: Path) -> Seat:
    """Take a new seat of the class in `shared`, with its notebooks in `folder`; return it.

    A `folder` that has a seat keeps it. Raises ClassError when there is no such class or something cannot be written.
    """
    if (found := seats.read(folder)) is not None:
        if not found.record.exists():
            raise ClassError(f"the class of {folder} has ended", remedy="name another folder for a new class")
        return found
    if folder.is_dir() and any(folder.iterdir()):
        raise ClassError(
            f"{folder} is not empty", wanted="a folder that is new or empty, or one with a seat of this class",
            remedy="name another one",
        )
    return _furnish(_new_seat(shared), folder, None)


def _new_seat(shared: Path) -> Path:
    number = 1 + max((number_of(path) for path in seat_folders(shared)), default=0)
    while True:
        path = shared / f"{PREFIX}{number:02}"
        try:
            path.mkdir()
        except FileExistsError:  # another participant took it first
            number += 1
        except OSError as error:
            raise ClassError(
                f"{path} cannot be made: {error.strerror}", wanted="a folder of the class that you may write to",
                remedy="ask your teacher for the folder's name, and for the right to write to it",
            ) from error
        else:
            path.chmod(_ENTERED)
            return path


def _furnish(own: Path, folder: Path, record: Path | None) -> Seat:
    """Add what is missing to a seat: its notebooks in `folder`, its record in `own`."""
    kept = own / RECORD
    seat = Seat(own.name, record or kept.absolute(), tasks())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept.touch()
        kept.chmod(_READABLE)
        write(Edition.STUDENT, folder, originals(), keep=True)
        seats.write(folder, seat)
    except OSError as error:
        raise ClassError(
            f"{error.filename or folder} cannot be written: {error.strerror}", remedy="name another folder"
        ) from error
    return seat


def seat_folders(folder: Path) -> list[Path]:
    """The folders of a class's seats, in the order of their numbers."""
    try:
        found = [path for path in folder.glob(f"{PREFIX}*") if number_of(path)]
    except OSError:
        return []
    return sorted(found, key=number_of)


def number_of(seat: Path) -> int:
    """The number of a seat, by the name of its folder; 0 if it is none."""
    number = seat.name.removeprefix(PREFIX)
    return int(number) if number.isascii() and number.isdigit() else 0


def clear(folder: Path) -> None:
    """Remove the records of a class and what marks its seats; notebooks stay, and so does what else is there."""
    for path in seat_folders(folder):
        for name in (RECORD, seats.FILE):
            (path / name).unlink(missing_ok=True)
        if not os.listdir(path):  # a seat whose notebooks are elsewhere
            path.rmdir()
