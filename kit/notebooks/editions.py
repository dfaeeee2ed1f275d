"""Editions of the notebooks for a class: for students without solutions, for teachers with all exercises solved."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from kit.errors import NotebookError
from kit.notebooks.investigate import exercises
from kit.notebooks.investigate.tasks import nbformat
from kit.notebooks.originals import glossary_of

ANSWER = "**Answer.**"
_WHOLE_ANSWER = re.compile(rf"^{re.escape(ANSWER)}.*?(?=\n\s*\n\||\Z)", re.DOTALL | re.MULTILINE)  # up to the table
_BEFORE_ANSWER = "The answer: open it after your own predictions"
_FOLDED = "<details><summary>Solution</summary>"


class Edition(StrEnum):
    """The readers for whom copies of the notebooks are made."""

    STUDENT = "student"
    TEACHER = "teacher"


def write(edition: Edition, folder: Path, sources: Sequence[Path], *, keep: bool = False) -> list[Path]:
    """Write this edition of the notebooks, and their glossary, into a new or empty folder; return the new notebooks.

    With `keep` the folder may have files, which stay as they are. Raises NotebookError when the folder is not empty or
    cannot be written.
    """
    if not keep and folder.is_dir() and any(folder.iterdir()):
        raise NotebookError(f"{folder} is not empty", wanted="a folder that is new or empty", remedy="name another one")
    made = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in (one for one in sources if not (folder / one.name).exists()):
            nb = nbformat().read(source, as_version=4)
            change(nb, edition)
            nbformat().write(nb, folder / source.name)
            made.append(folder / source.name)
        if (glossary := glossary_of(sources)) is not None and not (folder / glossary.name).exists():
            shutil.copyfile(glossary, folder / glossary.name)
    except OSError as error:
        raise NotebookError(
            f"{error.filename or folder} cannot be written: {error.strerror}", remedy="name another folder"
        ) from error
    return made


def change(nb: Any, edition: Edition) -> None:
    """Turn a notebook into the edition, in place. Raises NotebookError for an exercise without a solution."""
    if edition is Edition.TEACHER:
        exercises.put_solutions_in(nb)
        for cell in _solutions(nb):
            cell.source = cell.source.replace(_FOLDED, _FOLDED.replace("<details", "<details open", 1))
    else:
        solutions = _solutions(nb)
        nb.cells = [cell for cell in nb.cells if not any(cell is one for one in solutions)]
        for cell in nb.cells[:1]:
            cell.source = _WHOLE_ANSWER.sub(_fold, cell.source, count=1)


def _solutions(nb: Any) -> list[Any]:
    return [cell for cell in nb.cells if exercises.SOLUTION_TAG in cell.metadata.get("tags", [])]


def _fold(answer: re.Match[str]) -> str:
    text = answer[0].removeprefix(ANSWER).strip()
    return f"<details><summary>{_BEFORE_ANSWER}</summary>\n\n{text}\n\n</details>"
