"""Settings files: those that the program read, and the lines in them that name a database."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Tuple

from .environ import names_a_database, shown
from .frames import LIBRARY, owner
from .own import os, re
from .own import own_builtins as __builtins__  # noqa: F401
from .places import URL_WITHIN, place
from .recorder import Recorder
from .redact import learn_all

_NAME = re.compile(r"(?i)(^\.?env$|\.env(\.|$)|\.(ini|cfg|conf|toml|ya?ml|json|properties|env)$)")
_LINE = re.compile(r"^\s*(?:export\s+)?[\"']?(?P<name>[A-Za-z_][\w.-]*)[\"']?\s*[:=]\s*(?P<value>.*?)\s*,?\s*$")
# Variables set by pytest-env and tox: `env = D:NAME=value`, one per line, or a list in TOML.
_FLAGS = r"(?:[DRU]:)*"
_IN_A_LIST = re.compile(rf"[\"']{_FLAGS}(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<value>[^\"']*)[\"']")
_FLAGGED = re.compile(rf"^\s*(?:(?:env|set_?env)\s*=\s*)?{_FLAGS}(?=[A-Za-z_]\w*\s*=)")
_IN_A_TABLE = re.compile(r"^\{.*?\bvalue\s*=\s*[\"'](?P<value>[^\"']*)[\"']")
_LISTS = (".ini", ".cfg", ".toml")  # suffixes of files with such lists
_LARGEST = 256 * 1024  # bytes; larger files hold data, not settings
_FILES_AT_MOST = 500

Entry = Tuple[int, str, str]  # line, name, value


class SettingsFiles:
    """Remembers the lines of settings files that name a database: `found` has them by file, as last read."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._read: Dict[str, Tuple[float, int]] = {}
        self.found: Dict[str, List[Entry]] = {}

    def opened(self, path: str) -> None:
        """Parse a file that the program is about to read, if it has the name of a settings file."""
        if not _NAME.search(os.path.basename(path)) or len(self._read) >= _FILES_AT_MOST:
            return
        path = os.path.abspath(path)
        if owner(path) is LIBRARY:
            return
        try:
            status = os.stat(path)
        except OSError:
            return
        if status.st_size > _LARGEST:
            return
        state = status.st_mtime, status.st_size
        if self._read.get(path) != state:
            self._read[path] = state
            self.found[path] = _entries(path)
        if self.found[path]:
            entries: List[Any] = [[line, name, shown(name, value)] for line, name, value in self.found[path]]
            self._recorder.event("settings_file", apart=(path, state), file=path, entries=entries)

    def sources_of(self, url: str) -> List[List[Any]]:
        """Return the lines [file, line, name] whose URL names the same database as `url`, the file read last first."""
        wanted = place(url)
        return [
            [path, line, name] for path, entries in reversed(list(self.found.items()))
            for line, name, value in entries if place(value) == wanted
        ]


def _entries(path: str) -> List[Entry]:
    found = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, text in enumerate(file, 1):
            for name, given in _pairs(text, path.endswith(_LISTS)):
                url = URL_WITHIN.search(given)
                value = url.group() if url else given.strip("\"'")
                learn_all({name: value})
                if names_a_database(name, value) and value:
                    found.append((number, name, value))
    return found


def variables_in(path: Any) -> Dict[str, str]:
    """Return the variables in a dotenv file; {} if it cannot be read, or has none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(_LARGEST)
    except OSError:
        return {}
    return {name: given.strip("\"'") for line in text.splitlines() for name, given in _pairs(line, lists=False)}


def _pairs(text: str, lists: bool) -> Iterator[Tuple[str, str]]:
    """Yield the names and values in a line; several for a list."""
    listed = [(entry["name"], entry["value"]) for entry in _IN_A_LIST.finditer(text)] if lists else []
    if listed:
        yield from listed
        return
    entry = _LINE.match(_FLAGGED.sub("", text) if lists else text)
    if entry is not None:
        table = _IN_A_TABLE.match(entry["value"]) if lists else None
        yield entry["name"], (table or entry)["value"]
