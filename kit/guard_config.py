"""Where pytest reads a project's options, and how the guard's lines get in there with everything else as it was."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from kit.errors import GuardError

OPTION, LIST = "--db-guard", "db_guard_allow"
WORDS = ("-p", "kit-db-guard", OPTION)  # the guard first, before plugins that may connect as they are loaded
_ARRAYS_SINCE = 9  # of pytest: the version that takes TOML's own lists, in pytest.toml and in [tool.pytest]


def config_of(found: Path | None, project: Path, version: int) -> tuple[Path, str]:
    """The file to change, and the section of it: what pytest has found, else one in the project that it would find."""
    path = found or next((path for path in [project / "pyproject.toml"] if path.is_file()), project / "pytest.ini")
    return path, _section(path, version)


def _section(path: Path, version: int) -> str:
    if path.suffix == ".cfg":
        return "tool:pytest"
    if path.suffix != ".toml" or path.name in ("pytest.toml", ".pytest.toml"):
        return "pytest"
    table = _table(text_of(path), path, "tool.pytest") or {}
    # [tool.pytest] is also where [tool.pytest.ini_options] hangs, which is another way of writing
    return "tool.pytest" if set(table) - {"ini_options"} and version >= _ARRAYS_SINCE else "tool.pytest.ini_options"


def text_of(path: Path) -> str:
    """The text of a file with its own ends of lines; GuardError where it cannot be read."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        raise GuardError(f"{path} is not in UTF-8, which pytest reads", remedy="write it in UTF-8") from None
    except OSError as error:
        raise GuardError(f"{path} cannot be read: {error.strerror}", remedy="make it readable") from None


def _table(text: str, path: Path, section: str) -> dict[str, object] | None:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise GuardError(f"{path} is not TOML: {error}", remedy="mend it first") from None
    for part in section.split("."):
        found = found.get(part, {})
        if not isinstance(found, dict):
            return None
    return found or None


def changed(text: str, path: Path, section: str, entries: Iterable[str]) -> str:
    """The file's text with the guard on and the entries on its list; everything else in it stays as it is.

    Lines that are added end as the file's first line does.
    """
    end = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    lines = text.split("\n")  # a carriage return stays with its line
    ended = lines[-1] == ""
    if ended:
        lines.pop()
    change = _changed_toml if path.suffix == ".toml" else _changed_ini
    before = [line.removesuffix("\r") for line in lines]
    after = change(list(before), path, section, entries)
    if after == before:
        return text
    joined = _joined(before, lines, after, end)
    return joined if ended or after[-1:] != before[-1:] else joined.removesuffix(end)


def _joined(before: list[str], lines: list[str], after: list[str], end: str) -> str:
    """The lines after the change, those that were there with the ends that they had; the last has one, too."""
    found: list[str] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for what, old, _, new, new_end in matcher.get_opcodes():
        for number in range(new, new_end):
            kept = lines[old + number - new] if what == "equal" else after[number]
            cut = what != "equal" or old + number - new == len(lines) - 1
            found.append(kept.removesuffix("\r") + end if cut else kept + "\n")
    return "".join(found)


def _changed_ini(lines: list[str], path: Path, section: str, entries: Iterable[str]) -> list[str]:
    start = next((number for number, line in enumerate(lines) if _ini_header(line) == section), None)
    if start is None:
        lines += ["", f"[{section}]"] if lines else [f"[{section}]"]
        start = len(lines) - 1
    start += 1
    options = _ini_value(lines, start, "addopts")
    if OPTION not in " ".join(lines[slice(*options)]).split() if options else True:
        _ini_option(lines, start, options)
    listed = _ini_value(lines, start, LIST)
    known = {line.strip() for line in lines[slice(*listed)]} if listed else set()
    known |= {line.partition("=")[2].strip() for line in lines[slice(*listed)][:1]} if listed else set()
    missing = [f"    {entry}" for entry in entries if entry not in known]
    if listed:
        lines[listed[1] : listed[1]] = missing
    else:
        end = _ini_end(lines, start)
        lines[end:end] = [f"{LIST} =", *missing]
    return lines


def _ini_header(line: str) -> str | None:
    """The name of the section that begins in a line, as pytest's reader of such files takes it."""
    if not line.startswith("["):
        return None
    named = re.split("[#;]", line)[0].rstrip()
    return named[1:-1] if named.endswith("]") else None


def _ini_option(lines: list[str], start: int, options: tuple[int, int] | None) -> None:
    if options is None:
        lines.insert(start, f"addopts = {' '.join(WORDS)}")
        return
    name, sign, value = _ini_parts(lines[options[0]])
    blank = value[: len(value) - len(value.lstrip())] or " "
    lines[options[0]] = f"{name}{sign}{blank}{' '.join(WORDS)} {value.strip()}".rstrip()


def _ini_parts(line: str) -> tuple[str, str, str]:
    sign = "=" if ":" not in line or 0 <= line.find("=") < line.find(":") else ":"
    return line.partition(sign)


def _ini_value(lines: list[str], start: int, name: str) -> tuple[int, int] | None:
    """The lines of a key's value, from the key's own to the one after the last."""
    for number in range(start, _ini_end(lines, start)):
        if not lines[number][:1].isspace() and _ini_parts(lines[number])[0].strip() == name:
            end = number + 1
            while end < len(lines) and lines[end][:1].isspace() and lines[end].strip():
                end += 1
            return number, end
    return None


def _ini_end(lines: list[str], start: int) -> int:
    """The line after a section's last."""
    end = next((number for number in range(start, len(lines)) if _ini_header(lines[number]) is not None), len(lines))
    while end > start and not lines[end - 1].strip():
        end -= 1
    return end


def _changed_toml(lines: list[str], path: Path, section: str, entries: Iterable[str]) -> list[str]:
    before = _table("\n".join(lines), path, section) or {}
    options, listed = before.get("addopts"), before.get(LIST)
    words = options.split() if isinstance(options, str) else list(options) if isinstance(options, list) else []
    known = listed if isinstance(listed, list) else str(listed or "").split()
    missing = [entry for entry in entries if entry not in known]
    start = next((number for number, line in enumerate(lines) if _toml_header(line) == section), None)
    if start is None:
        if before:
            raise _by_hand(path, section, entries)
        lines += ["", f"[{section}]"] if lines else [f"[{section}]"]
        start = len(lines) - 1
    start += 1
    if OPTION not in words:
        as_list = isinstance(options, list) or (options is None and not section.endswith("ini_options"))
        _toml_first(lines, start, "addopts", WORDS, as_list, options is not None)
    if missing or listed is None:
        _toml_first(lines, start, LIST, missing, True, listed is not None)
    if not _says("\n".join(lines), path, section, entries):
        raise _by_hand(path, section, entries)
    return lines


def _toml_header(line: str) -> str | None:
    """The name of the table that begins in a line, if it is written plainly."""
    found = re.match(r"\s*\[\s*([\w-]+(?:\s*\.\s*[\w-]+)*)\s*\]\s*(#.*)?$", line)
    return re.sub(r"\s", "", found[1]) if found else None


def _toml_first(lines: list[str], start: int, name: str, values: Sequence[str], as_list: bool, there: bool) -> None:
    """Put values before those that a key has, or give the table the key."""
    if not there:
        end = _toml_end(lines, start)
        if name == LIST and values:
            lines[end:end] = [f"{name} = [", *(f"  {json.dumps(value)}," for value in values), "]"]
        else:
            lines.insert(end, f"{name} = {json.dumps(list(values) if as_list else ' '.join(values))}")
        return
    for number in range(start, len(lines)):
        key, sign, value = lines[number].partition("=")
        if sign and key.strip() == name:
            opening = next((mark for mark in ('"""', "'''", "[", '"', "'") if value.strip().startswith(mark)), "")
            rest = value.strip()[len(opening) :]
            inserted = "".join(f"{json.dumps(value)}, " for value in values)
            inserted = inserted if opening == "[" else f"{' '.join(values)} "
            if opening == "[" and rest.startswith("]"):
                inserted = inserted.rstrip(", ")
            lines[number] = f"{key.rstrip()} = {opening}{inserted if rest else inserted.rstrip()}{rest}"
            return


def _toml_end(lines: list[str], start: int) -> int:
    """The line after a table's last: before the next header, which no value of ours looks like."""
    end = next((number for number in range(start, len(lines)) if _ends_table(lines[number])), len(lines))
    while end > start and not lines[end - 1].strip():
        end -= 1
    return end


def _ends_table(line: str) -> bool:
    return line.startswith("[") or _toml_header(line) is not None


def _says(text: str, path: Path, section: str, entries: Iterable[str]) -> bool:
    try:
        found = _table(text, path, section) or {}
    except GuardError:
        return False
    options, listed = found.get("addopts"), found.get(LIST)
    words = options.split() if isinstance(options, str) else options
    return isinstance(words, list) and OPTION in words and isinstance(listed, list) and set(entries) <= set(listed)


def _by_hand(path: Path, section: str, entries: Iterable[str]) -> GuardError:
    return GuardError(
        f"{path} is written in a way that the kit does not change",
        remedy=f"in [{section}], put {' '.join(WORDS)} at the beginning of addopts "
        f"and set {LIST} = {json.dumps(list(entries))}; then try again",
    )
