"""Where pytest reads a project's options, and how the guard's lines get in there with everything else as it was."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from kit.errors import GuardError

OPTION, LIST = "--db-guard", "db_guard_allow"
_FILES = (
    ("pytest.toml", "pytest"), (".pytest.toml", "pytest"), ("pytest.ini", "pytest"), (".pytest.ini", "pytest"),
    ("pyproject.toml", "tool.pytest"), ("pyproject.toml", "tool.pytest.ini_options"), ("tox.ini", "pytest"),
    ("setup.cfg", "tool:pytest"),
)  # fmt: skip
_ALWAYS_READ = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")  # by pytest, even where they are empty


def find_config(project: Path) -> tuple[Path, str]:
    """The file that pytest reads in a project's folder, and the section of it; one to be made where there is none."""
    if not project.is_dir():
        raise GuardError(f"{project} is no folder", remedy="name the folder of the project")
    for name, section in _FILES:
        path = project / name
        if path.is_file() and (name in _ALWAYS_READ or _has_section(path, section)):
            return path, section
    if (project / "pyproject.toml").is_file():
        return project / "pyproject.toml", "tool.pytest.ini_options"
    return project / "pytest.ini", "pytest"


def _has_section(path: Path, section: str) -> bool:
    if path.suffix != ".toml":
        return any(line.strip() == f"[{section}]" for line in path.read_text().splitlines())
    found = _table(path.read_text(), path, section)
    # [tool.pytest] is also where [tool.pytest.ini_options] hangs, which is another way of writing
    return found is not None and set(found) != {"ini_options"}


def _table(text: str, path: Path, section: str) -> dict[str, object] | None:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise GuardError(f"{path} is not TOML: {error}", remedy="mend it first") from None
    for part in section.split("."):
        found = found.get(part, {})
    return found or None


def changed(text: str, path: Path, section: str, entries: Iterable[str]) -> str:
    """The file's text with the guard on and the entries on its list; everything else in it stays as it is."""
    if path.suffix == ".toml":
        return _changed_toml(text, path, section, entries)
    return _changed_ini(text, section, entries)


def _changed_ini(text: str, section: str, entries: Iterable[str]) -> str:
    lines = text.splitlines()
    header = f"[{section}]"
    if header not in (line.strip() for line in lines):
        lines += ["", header] if lines else [header]
    start = next(number for number, line in enumerate(lines) if line.strip() == header) + 1
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
    return "\n".join(lines) + "\n"


def _ini_option(lines: list[str], start: int, options: tuple[int, int] | None) -> None:
    if options is None:
        lines.insert(start, f"addopts = {OPTION}")
        return
    name, sign, value = _ini_parts(lines[options[0]])
    lines[options[0]] = f"{name.rstrip()} {sign} {OPTION} {value.strip()}".rstrip()


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
    end = next((number for number in range(start, len(lines)) if lines[number].startswith("[")), len(lines))
    while end > start and not lines[end - 1].strip():
        end -= 1
    return end


def _changed_toml(text: str, path: Path, section: str, entries: Iterable[str]) -> str:
    before = _table(text, path, section) or {}
    options, listed = before.get("addopts"), before.get(LIST)
    words = options.split() if isinstance(options, str) else list(options) if isinstance(options, list) else []
    known = listed if isinstance(listed, list) else str(listed or "").split()
    missing = [entry for entry in entries if entry not in known]
    lines = text.splitlines()
    if f"[{section}]" not in (line.strip() for line in lines):
        if before:
            raise _by_hand(path, section, entries)
        lines += ["", f"[{section}]"] if lines else [f"[{section}]"]
    start = next(number for number, line in enumerate(lines) if line.strip() == f"[{section}]") + 1
    if OPTION not in words:
        as_list = isinstance(options, list) or (options is None and not section.endswith("ini_options"))
        _toml_first(lines, start, "addopts", [OPTION], as_list, options is not None)
    if missing or listed is None:
        _toml_first(lines, start, LIST, missing, True, listed is not None)
    after = "\n".join(lines) + "\n"
    if not _says(after, path, section, entries):
        raise _by_hand(path, section, entries)
    return after


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
            inserted = "".join(f"{json.dumps(value)}, " for value in values) if opening == "[" else f"{values[0]} "
            if opening == "[" and rest.startswith("]"):
                inserted = inserted.rstrip(", ")
            lines[number] = f"{key.rstrip()} = {opening}{inserted if rest else inserted.rstrip()}{rest}"
            return


def _toml_end(lines: list[str], start: int) -> int:
    """The line after a table's last: before the next header, which no value of ours looks like."""
    end = next((number for number in range(start, len(lines)) if lines[number].startswith("[")), len(lines))
    while end > start and not lines[end - 1].strip():
        end -= 1
    return end


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
        remedy=f"in [{section}], add {OPTION} to addopts and set {LIST} = {json.dumps(list(entries))}; then try again",
    )
