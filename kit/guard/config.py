"""Add the guard's lines to pytest's configuration, without any other change of the file."""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import GuardError

OPTION, LIST = "--db-guard", "db_guard_allow"
WORDS = ("-p", "kit-db-guard", OPTION)  # the guard first, before plugins that may connect while they are loaded
_ARRAYS_SINCE = 9  # the version of pytest that reads native TOML lists, in pytest.toml and in [tool.pytest]


def config_of(found: Path | None, project: Path, version: int) -> tuple[Path, str]:
    """The file and section to change: the file that pytest found, else one in the project that pytest would find."""
    path = found or next((path for path in [project / "pyproject.toml"] if path.is_file()), project / "pytest.ini")
    return path, _section(path, version)


def _section(path: Path, version: int) -> str:
    if path.suffix == ".cfg":
        return "tool:pytest"
    if path.suffix != ".toml" or path.name in ("pytest.toml", ".pytest.toml"):
        return "pytest"
    table = _table(text_of(path), path, "tool.pytest") or {}
    # [tool.pytest] also contains the table of [tool.pytest.ini_options], which has another syntax
    return "tool.pytest" if set(table) - {"ini_options"} and version >= _ARRAYS_SINCE else "tool.pytest.ini_options"


def text_of(path: Path) -> str:
    """The text of a file with its own line endings. Raises GuardError when it cannot be read."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        raise GuardError(f"{path} is not in UTF-8, which pytest requires", remedy="write it in UTF-8") from None
    except OSError as error:
        raise GuardError(f"{path} cannot be read: {error.strerror}", remedy="make it readable") from None


def _table(text: str, path: Path, section: str) -> dict[str, object] | None:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise GuardError(f"{path} is not TOML: {error}", remedy="fix it first") from None
    for part in section.split("."):
        found = found.get(part, {})
        if not isinstance(found, dict):
            return None
    return found or None


def changed(text: str, path: Path, section: str, entries: Iterable[str]) -> str:
    """The file's text with the guard on and the entries in its list; everything else stays as it is.

    Added lines get the file's line endings. Raises GuardError when the library for such files is not installed, or when
    the file is written in a form that is not changed.
    """
    change = _changed_toml if path.suffix == ".toml" else _changed_ini
    after = change(text, path, section, list(entries))
    if "\n" in text and text.count("\n") == text.count("\r\n"):
        after = re.sub(r"(?<!\r)\n", "\r\n", after)
    return after


def _needed(name: str) -> Any:
    """Import a library for configuration files that only this command needs. Raises GuardError if it is missing."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise GuardError(f"kit guard init needs {name}, which is not installed",
                         remedy='pip install "fastapi-database-isolation-kit[guard]"') from None  # fmt: skip


# --- pytest.ini, tox.ini, setup.cfg --------------------------------------------------------------------------------
#
# iniconfig, pytest's own reader, finds the sections, keys and their lines; the lines are written here. configupdater
# was measured on the files of tests/guard/test_config.py, and is worse: it reads by configparser's rules, which are not
# pytest's. It does not recognise the header `[pytest]  # see [x]` and adds a second [pytest], with which pytest does
# not start. It writes LF into files with CRLF, and reformats values, without their comments and blank lines.


def _changed_ini(text: str, path: Path, section: str, entries: Sequence[str]) -> str:
    lines = text.splitlines(keepends=True)
    found = _read_ini(text, path, section)
    if found is None:
        lines += [*(["\n"] if lines else ()), f"[{section}]\n"]
        found = _Section(len(lines), {})
    added = dict[int, list[str]]()  # line count -> lines to insert after that many lines
    options, listed = found.keys.get("addopts"), found.keys.get(LIST)
    if options is None:
        added[found.start] = [f"addopts = {' '.join(WORDS)}"]
    elif OPTION not in options.value.split():
        lines[options.line] = _with_words(lines[options.line])
    missing = [f"    {entry}" for entry in entries if listed is None or entry not in listed.value.splitlines()]
    where = _last_of(lines, found.start, listed or max(found.keys.values(), key=_line, default=None))
    added.setdefault(where, []).extend(missing if listed is not None else [f"{LIST} =", *missing])
    return _inserted(lines, added)


@dataclass(frozen=True, slots=True)
class _Key:
    line: int
    value: str


@dataclass(frozen=True, slots=True)
class _Section:
    start: int  # the line after its header
    keys: dict[str, _Key]


def _line(key: _Key) -> int:
    return key.line


def _read_ini(text: str, path: Path, section: str) -> _Section | None:
    reader = _needed("iniconfig")
    try:
        found = reader.IniConfig(str(path), data=text)
    except reader.ParseError as error:
        raise GuardError(f"pytest cannot read {path}: {error.msg}", remedy="fix it first") from None
    if section not in found:
        return None
    keys = {name: _Key(found.lineof(section, name) - 1, value) for name, value in found[section].items()}
    return _Section(found.lineof(section), keys)


def _with_words(line: str) -> str:
    """A key's line with the guard's words before its value."""
    name, sign, value = re.match(r"([^=:]*)([=:])(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
    rest = value.lstrip(" \t")
    blank = value[: len(value) - len(rest)] or ("" if rest.strip() else " ")
    return f"{name}{sign}{blank}{' '.join(WORDS)}{' ' if rest.strip() else ''}{rest}"


def _last_of(lines: Sequence[str], start: int, key: _Key | None) -> int:
    """The line after a key's value, or after the section's header without a key.

    A value continues in indented lines, even after comments and blank lines.
    """
    if key is None:
        return start
    last = key.line + 1
    for number in range(last, len(lines)):
        line = lines[number]
        if line.strip() and not line.lstrip().startswith(("#", ";")):
            if not line[0].isspace():
                break
            last = number + 1
    return last


def _inserted(lines: Sequence[str], added: Mapping[int, Sequence[str]]) -> str:
    found = ""
    for number in range(len(lines) + 1):
        new = added.get(number, ())
        if new and found and not found.endswith("\n"):  # the file's last line had no line ending
            found += "\n"
        found += "".join(f"{line}\n" for line in new)
        found += lines[number] if number < len(lines) else ""
    return found


# --- pyproject.toml, pytest.toml -----------------------------------------------------------------------------------


def _changed_toml(text: str, path: Path, section: str, entries: Sequence[str]) -> str:
    library, before = _needed("tomlkit"), _table(text, path, section) or {}
    options, listed = before.get("addopts"), before.get(LIST)
    if not isinstance(options, str | list | None) or not isinstance(listed, list | None):
        raise _by_hand(path, section, entries)
    words = options.split() if isinstance(options, str) else options or []
    missing = [entry for entry in entries if entry not in (listed or [])]
    try:
        document, table = _document(library, text, section)
        if OPTION not in words:
            as_list = isinstance(options, list) or (options is None and not section.endswith("ini_options"))
            _put_first(library, table, "addopts", WORDS if as_list else [" ".join(WORDS)], as_list)
        if missing or listed is None:
            _put_first(library, table, LIST, missing, True)
    except library.exceptions.TOMLKitError:
        raise _by_hand(path, section, entries) from None
    after: str = library.dumps(document)
    if not _has_guard(text, after, path, section, entries):
        raise _by_hand(path, section, entries)
    return after


def _document(library: Any, text: str, section: str) -> tuple[Any, Any]:
    """The document and its table of this name, which is appended if it is missing."""
    ended = text if not text or text.endswith("\n") else f"{text}\n"
    blank = "\n" if ended else ""
    for text in (ended, f"{ended}{blank}[{section}]\n"):
        document = table = library.parse(text)
        for part in section.split("."):
            table = table.get(part) if isinstance(table, MutableMapping) else None
        if isinstance(table, MutableMapping):
            return document, table
    raise library.exceptions.TOMLKitError


def _put_first(library: Any, table: Any, name: str, values: Sequence[str], as_list: bool) -> None:
    """Insert values before those of a key, in the key's own notation; add the key if it is missing."""
    there = table.get(name)
    if there is not None:
        table[name] = library.value(_with_first(there.as_string(), values, as_list))
        return
    in_one_line = type(table) is library.items.InlineTable
    item = library.value(_written(values, name == LIST and not in_one_line) if as_list else json.dumps(values[0]))
    if not in_one_line:
        item.trivia.trail = "\n"
    table.append(name, item)


def _written(values: Sequence[str], in_lines: bool) -> str:
    """A new list, with one line per value or all in one line."""
    if not in_lines or not values:
        return json.dumps(list(values))
    return "".join(["[\n", *(f"  {json.dumps(value)},\n" for value in values), "]"])


def _with_first(text: str, values: Sequence[str], as_list: bool) -> str:
    """The TOML text of a value, with values inserted before its own."""
    opening = next(mark for mark in ('"""', "'''", "[", '"', "'") if text.startswith(mark))
    rest = text[len(opening) :]
    if not as_list:
        alone = not rest.strip() or rest.startswith(("\r", "\n", opening))
        return f"{opening}{values[0]}{'' if alone else ' '}{rest}"
    blank = rest[: len(rest) - len(rest.lstrip())]
    between = f",{blank or ' '}"
    inserted = between.join(map(json.dumps, values))
    if rest.strip() == "]":
        return f"[{inserted}]"
    return f"[{blank}{inserted}{between}{rest.lstrip()}"


def _has_guard(before: str, after: str, path: Path, section: str, entries: Iterable[str]) -> bool:
    """Whether the text has the guard on and the whole list, and is otherwise unchanged."""
    try:
        found = _table(after, path, section) or {}
    except GuardError:
        return False
    options, listed = found.get("addopts"), found.get(LIST)
    words = options.split() if isinstance(options, str) else options
    on = isinstance(words, list) and OPTION in words and isinstance(listed, list) and set(entries) <= set(listed)
    return on and _beside(before, section) == _beside(after, section)


def _beside(text: str, section: str) -> dict[str, Any]:
    """A document without the guard's two keys."""
    document = tomllib.loads(text)
    table = document
    for part in section.split("."):
        table = table.setdefault(part, {})
    for name in ("addopts", LIST):
        table.pop(name, None)
    return document


def _by_hand(path: Path, section: str, entries: Iterable[str]) -> GuardError:
    return GuardError(
        f"{path} is written in a form that the kit does not change",
        remedy=f"in [{section}], put {' '.join(WORDS)} at the beginning of addopts "
        f"and set {LIST} = {json.dumps(list(entries))}; then try again",
    )
