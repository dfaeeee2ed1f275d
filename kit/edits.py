"""Changes to a project as exact text: what stands in the clean project, and what stands there instead."""

from __future__ import annotations

import difflib
import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kit.errors import TrialError

Files = Mapping[str, str]
"""The text of each file of a project, by its path with forward slashes."""


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """One change to one file.

    `clean` occurs exactly once in the clean file; it is empty where the edit makes a file that was not there. Where
    `changed` occurs exactly once in the changed one, the edit can be undone as well.
    """

    path: str
    clean: str
    changed: str

    def undone(self) -> Edit:
        """The edit that leads back."""
        return Edit(self.path, self.changed, self.clean)


def read(directory: Path) -> dict[str, str]:
    """The files of a project, without what running it leaves beside them (caches, and all that is hidden)."""
    files: dict[str, str] = {}
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory)
        left_behind = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
        if path.is_file() and not left_behind:
            files[relative.as_posix()] = path.read_text(encoding="utf-8")
    return files


def write(files: Files, directory: Path) -> None:
    """Write the files into a directory that is empty or not yet there; shell scripts can be run.

    Raises TrialError for a directory that holds something.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise TrialError(f"{directory} is not empty", wanted="an empty directory for the project")
    for path, content in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
        if target.suffix == ".sh":
            target.chmod(0o755)


def edited(files: Files, edits: Iterable[Edit]) -> dict[str, str]:
    """The files with all the edits made, each found in the text as it was given, whatever their order.

    Raises TrialError when the text of an edit is not there exactly once, or when two edits overlap.
    """
    result = dict(files)
    by_path: dict[str, list[Edit]] = {}
    for edit in edits:
        by_path.setdefault(edit.path, []).append(edit)
    for path, of_path in by_path.items():
        if path not in files and [edit.clean for edit in of_path] == [""]:
            result[path] = of_path[0].changed
            continue
        if path not in files:
            raise TrialError(
                f"There is no file {path} to change", wanted=f"one of {', '.join(sorted(files))}"
            )
        result[path] = _edited_text(files[path], of_path)
    return result


class Diff(str):
    """A unified diff. A notebook shows it in colours; for all else it is a text."""

    __slots__ = ()

    def __add__(self, other: str) -> Diff:
        return Diff(str(self) + other)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        lines = "\n".join(map(_coloured, self.rstrip().splitlines()))
        return {"text/html": f'<pre style="overflow-x:auto;margin:0">{lines}</pre>', "text/plain": str(self)}


def _coloured(line: str) -> str:
    style = next((style for start, style in _STYLES.items() if line.startswith(start)), "")
    return f'<span style="{style}">{html.escape(line)}</span>' if style else html.escape(line)


# By how a line begins, the longer beginnings first; the colours are legible on white and on black.
_STYLES = {
    "---": "font-weight:bold",
    "+++": "font-weight:bold",
    "@@": "opacity:.6",
    "-": "color:#e5484d",
    "+": "color:#1a9c4a",
}


def diff(before: Files, after: Files, *, context: int = 2) -> Diff:
    """What changed, as a unified diff of the files that differ, with `context` lines around each change."""
    lines: list[str] = []
    for path in sorted({*before, *after}):
        lines += difflib.unified_diff(
            before.get(path, "").splitlines(keepends=True),
            after.get(path, "").splitlines(keepends=True),
            fromfile=path,
            tofile=path,
            n=context,
        )
    return Diff("".join(lines))


def _edited_text(text: str, edits: Iterable[Edit]) -> str:
    places = sorted((_place(text, edit), edit) for edit in edits)
    pieces: list[str] = []
    done = 0
    for start, edit in places:
        if start < done:
            raise TrialError(
                f"Two edits overlap in {edit.path}, at {edit.clean.splitlines()[0]!r}",
                remedy="choose mechanisms and an attempt that change different lines",
            )
        pieces += [text[done:start], edit.changed]
        done = start + len(edit.clean)
    return "".join([*pieces, text[done:]])


def _place(text: str, edit: Edit) -> int:
    found = text.count(edit.clean) if edit.clean else 0
    if found != 1:
        raise TrialError(
            f"The text of an edit occurs {found} times in {edit.path}: {edit.clean!r}", wanted="exactly once"
        )
    return text.index(edit.clean)
