"""libpq's service files: the section that can have given a connection its server and database."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from .own import os
from .own import own_builtins as __builtins__  # noqa: F401
from .places import place

_LARGEST = 256 * 1024  # bytes
_VARIABLE = "PGSERVICEFILE"


class Section(NamedTuple):
    """A section: its file, its line, that of its database, its name, and the variable that names the file, or ""."""

    file: str
    line: int
    database_at: int
    service: str
    variable: str


def section_of(configured: str) -> Optional[Section]:
    """Return the first section that names the server and database of a URL; None where no service file has one."""
    wanted = place(configured)
    if wanted is None:
        return None
    named = os.environ.get(_VARIABLE)
    for file in filter(None, (named, os.path.join(os.path.expanduser("~"), ".pg_service.conf"))):
        for service, settings, lines in _sections(file):
            alike = [settings.get(name, other) == other for name, other in zip(("host", "port"), wanted[1:3])]
            if settings.get("dbname") == wanted[3] and all(alike):
                variable = _VARIABLE if file == named else ""
                return Section(os.path.abspath(file), lines[""], lines["dbname"], service, variable)
    return None


def _sections(file: str) -> Iterator[Any]:
    """Yield the name, the settings and the lines of the settings of each section."""
    found: List[Any] = []
    try:
        with open(file, encoding="utf-8", errors="replace") as text:
            for number, line in enumerate(text.read(_LARGEST).splitlines(), 1):
                _take_in(found, number, line.strip())
    except OSError:
        return
    yield from found


def _take_in(found: List[Any], number: int, line: str) -> None:
    settings: Dict[str, str]
    if line.startswith("[") and "]" in line:
        found.append((line[1:line.index("]")].strip(), {}, {"": number}))
    elif found and line and line[0] not in "#;":
        _, settings, lines = found[-1]
        name, _, value = line.partition("=")
        settings[name.strip()] = value.strip()
        lines[name.strip()] = number
