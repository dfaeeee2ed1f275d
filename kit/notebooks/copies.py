"""Copies of notebooks to work on, so that opening, running and saving them does not change the originals.

A copy is replaced only on request, or when its original has changed and nobody has edited the copy. Changed outputs do
not count as an edit.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.errors import NotebookError
from kit.notebooks.originals import glossary_of

EVERY = "all"
_MADE = ".copies.json"  # {notebook name: digest of the original's cells when its copy was made}
_ASIDE = "replaced"


@dataclass(slots=True)
class Refreshed:
    """The names of notebooks that were copied, and of outdated edited copies; replaced edited copies are in `aside`."""

    made: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)
    aside: Path | None = None


def refresh(folder: Path, sources: Sequence[Path], start_over: Collection[str] = ()) -> Refreshed:
    """Copy each notebook that is missing in `folder`, is in `start_over`, or has an outdated copy without edits.

    `start_over` has names of notebooks, with or without `.ipynb`, or `all`. An edited copy that is replaced is moved to
    a new folder within `folder`. The glossary that the notebooks link to is copied each time.

    Raises NotebookError for an unknown name, and when a file cannot be written.
    """
    again = _named(sources, start_over)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made, done = _recorded(folder), Refreshed()
        for source in sources:
            _refresh_one(folder, source, made, source in again, done)
        if (glossary := glossary_of(sources)) is not None:
            _copy(glossary, folder / glossary.name)
        _record(folder, made)
    except OSError as error:
        raise NotebookError(
            f"{error.filename or folder} cannot be written: {error.strerror}",
            wanted="a folder for copies of the notebooks",
            remedy="change into a folder that you may write to",
        ) from error
    return done


def _named(sources: Sequence[Path], names: Collection[str]) -> set[Path]:
    by_name = {source.stem: source for source in sources}
    wanted = {name.removesuffix(".ipynb") for name in names}
    if EVERY in wanted:
        return set(sources)
    if unknown := sorted(wanted - by_name.keys()):
        raise NotebookError(
            f"There is no notebook {unknown[0]}",
            wanted=f"{EVERY}, or one of {', '.join(by_name)}",
            remedy="correct the name",
        )
    return {by_name[name] for name in wanted}


def _refresh_one(folder: Path, source: Path, made: dict[str, str], again: bool, done: Refreshed) -> None:
    copy, name = folder / source.name, source.stem
    current = digest(source)
    if copy.exists():
        own = digest(copy)
        if own == current:  # recorded or not: who made it may have been ended before that
            made[name] = current
        edited = own != made.get(name)
        if not again and (edited or made[name] == current):
            if edited and made.get(name) != current:
                done.outdated.append(name)
            return
        if edited:
            done.aside = done.aside or _new_folder(folder / _ASIDE)
            copy.rename(done.aside / copy.name)
    _copy(source, copy)
    made[name] = current
    done.made.append(name)


def _copy(source: Path, copy: Path) -> None:
    beside = copy.with_name(f".{copy.name}.new")
    shutil.copyfile(source, beside)  # without the permissions, because an original may be read-only
    beside.replace(copy)


def _new_folder(within: Path) -> Path:
    began = time.strftime("%Y%m%d-%H%M%S")
    for name in (began, *(f"{began}-{number}" for number in range(2, 100))):
        try:
            (within / name).mkdir(parents=True)
        except FileExistsError:
            continue
        return within / name
    raise FileExistsError(17, "too many copies were put aside in this second", str(within / began))


def digest(notebook: Path) -> str:
    """A digest of the types and sources of a notebook's cells; of the whole file if it is not a notebook."""
    whole = notebook.read_bytes()
    try:
        cells = [[cell["cell_type"], _joined(cell["source"])] for cell in json.loads(whole)["cells"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return hashlib.sha256(whole).hexdigest()
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def _joined(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source)


def _recorded(folder: Path) -> dict[str, str]:
    """The digests that the copies were made from; empty for a damaged file, so that every copy counts as edited."""
    try:
        found = json.loads((folder / _MADE).read_text("utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _record(folder: Path, made: dict[str, str]) -> None:
    beside = folder / f"{_MADE}.new"
    beside.write_text(json.dumps(made, indent=1) + "\n", "utf-8")
    beside.replace(folder / _MADE)
