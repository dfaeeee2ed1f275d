"""Changes to a project as exact text: the text in the clean project, and its replacement."""

from __future__ import annotations

import difflib
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.errors import TrialError

Files = Mapping[str, str]
"""The text of each file of a project, by its path with forward slashes."""


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """One change to one file.

    `clean` occurs exactly once in the clean file; it is empty if the edit creates the file. If `changed` occurs exactly
    once in the changed file, the edit can also be undone.
    """

    path: str
    clean: str
    changed: str

    def undone(self) -> Edit:
        """The reverse edit."""
        return Edit(self.path, self.changed, self.clean)


def read(directory: Path) -> dict[str, str]:
    """The files of a project, without caches and hidden files."""
    files: dict[str, str] = {}
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory)
        left_behind = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
        if path.is_file() and not left_behind:
            files[relative.as_posix()] = path.read_text(encoding="utf-8")
    return files


def write(files: Files, directory: Path) -> None:
    """Write the files into an empty or new directory; shell scripts become executable.

    Raises TrialError when the directory is not empty.
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
    """Apply the edits to the files; each edit is located in the original text. Duplicates are applied once.

    An edit changes only the part where its two texts differ; the rest of `clean` locates it. Text that two edits insert
    at the same position appears in the order of the edits.

    Raises TrialError when the text of an edit does not occur exactly once, or two edits change the same text.
    """
    result = dict(files)
    by_path: dict[str, list[Edit]] = {}
    for edit in dict.fromkeys(edits):
        by_path.setdefault(edit.path, []).append(edit)
    for path, of_path in by_path.items():
        if path not in files and [edit.clean for edit in of_path] == [""]:
            result[path] = of_path[0].changed
            continue
        if path not in files:
            raise TrialError(
                f"There is no file {path} to change", wanted=f"one of {', '.join(sorted(files))}"
            )
        result[path] = _edited_text(path, files[path], of_path)
    return result


class Diff(str):
    """A unified diff: a string that notebooks show with coloured lines."""

    __slots__ = ()

    def __add__(self, other: str) -> Diff:
        return Diff(str(self) + other)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        lines = "\n".join(map(_coloured, self.rstrip().splitlines()))
        return {"text/html": f'<pre style="{_PRE}">{lines}</pre>', "text/plain": str(self)}


def _coloured(line: str) -> str:
    style = next((style for start, style in _STYLES.items() if line.startswith(start)), "")
    return f'<span style="{style}">{html.escape(line)}</span>' if style else html.escape(line)


_PRE = "white-space:pre-wrap;overflow-wrap:anywhere;margin:0"
# By the beginning of a line, longer beginnings first. Text keeps its page's colour, so that it is legible on any page.
_STYLES = {
    "---": "font-weight:bold",
    "+++": "font-weight:bold",
    "@@": "font-style:italic",
    "-": "background:rgba(229,72,77,.2)",
    "+": "background:rgba(46,160,67,.2)",
}


def diff(before: Files, after: Files, *, context: int = 2) -> Diff:
    """A unified diff of the files that differ, with `context` lines around each change."""
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


@dataclass(frozen=True, slots=True)
class Change:
    """A replacement in a text: `new` replaces the characters from `start` up to `end`."""

    start: int
    end: int
    new: str


def _edited_text(path: str, text: str, edits: Iterable[Edit]) -> str:
    pieces: list[str] = []
    done = 0
    for change in sorted((change_of(edit, text) for edit in edits), key=lambda change: (change.start, change.end)):
        if change.start < done:
            raise TrialError(
                f"Two edits change the same text in {path}: {text[change.start : done]!r}",
                remedy="choose mechanisms, variants and an attempt that change different lines",
            )
        pieces += [text[done : change.start], change.new]
        done = change.end
    return "".join([*pieces, text[done:]])


def change_of(edit: Edit, text: str) -> Change:
    """The replacement that an edit makes: whole lines, or characters if a single line changes."""
    start = _place(text, edit)
    old, new = edit.clean.splitlines(keepends=True), edit.changed.splitlines(keepends=True)
    before, after = _alike(old, new)
    start += len("".join(old[:before]))
    old, new = old[before : len(old) - after], new[before : len(new) - after]
    if len(old) != 1 or not old[0].strip():
        return Change(start, start + len("".join(old)), "".join(new))
    line, put_in = old[0], "".join(new)
    before, after = _alike(line, put_in)
    return Change(start + before, start + len(line) - after, put_in[before : len(put_in) - after])


def _alike(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """The length of the common prefix of two sequences, and of the common suffix after it."""
    most = min(len(old), len(new))
    before = next((n for n in range(most) if old[n] != new[n]), most)
    most -= before
    return before, next((n for n in range(most) if old[-1 - n] != new[-1 - n]), most)


def _place(text: str, edit: Edit) -> int:
    found = text.count(edit.clean) if edit.clean else 0
    if found != 1:
        raise TrialError(
            f"The text of an edit occurs {found} times in {edit.path}: {edit.clean!r}", wanted="exactly once"
        )
    return text.index(edit.clean)
