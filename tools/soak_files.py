"""A reader's files beside a command that is ended at some moment: a suite, databases, a notebook, and what it writes.

What is asked of them afterwards: those that are the reader's alone are as they were, what the command writes is the old
text or the whole new one, and nothing else has come.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import nbformat

SUITE, CONFIG, NOTEBOOK = "test_sites.py", "pytest.ini", "small.ipynb"
ALLOWED, OTHER = "allowed.db", "other.db"
ANSWER = ("--json", "answer.json", "--html", "answer.html")
OUTPUT, RUNS, COPIES = "output.ipynb", "runs", "work"
_READERS = (SUITE, "notes.txt", OTHER, NOTEBOOK)
_COMES = {OUTPUT, RUNS, COPIES, *ANSWER[1::2], f"{ALLOWED}-journal", ".pytest_cache", "__pycache__"}
_ROWS = (1, 2)  # of the allowed database: as it was, or as one run of the suite leaves it
_TESTS = f'''
import sqlite3


def test_reads_what_it_should_not():
    assert sqlite3.connect("{OTHER}").execute("select count(*) from site").fetchone() == (1,)


def test_writes_what_it_may():
    with sqlite3.connect("{ALLOWED}") as allowed:
        allowed.execute("insert into site values (2)")
'''
_CELLS = (
    "from kit.evidence.verdict import Verdict, isolation\n"
    "from kit.notebooks.cells import claim, start\n"
    "from kit.specimens.trial import Trial\n"
    "session = start(1)",
    'claim("clean", "A clean project stays on the test server.", expected=Verdict.HOLDS,\n'
    "      observed=[isolation(one) for one in session.run([Trial([])])])",
)


@dataclass(frozen=True)
class Files:
    """A folder with a reader's files, and the text of each as it was made."""

    folder: Path
    before: dict[str, str]

    def wrong(self, config_done: str) -> list[str]:
        """What is not as it should be; `config_done` is the configuration that the whole command would write."""
        found = [f"{name} is another" for name in _READERS if _digest(self.folder / name) != self.before[name]]
        if _digest(self.folder / CONFIG) not in (self.before[CONFIG], config_done):
            found.append(f"{CONFIG} is neither the old nor the new one")
        if (rows := _rows(self.folder / ALLOWED)) not in _ROWS:
            found.append(f"{ALLOWED} has {rows} rows")
        known = {*self.before, *_COMES}
        found += [f"{_kind(path)} has come" for path in sorted(self.folder.iterdir()) if path.name not in known]
        written = [path for path in self.folder.rglob("*") if path.is_file() and "cache" not in str(path)]
        return found + [f"{path.name} is not whole" for path in written if not _is_whole(path)]

    @property
    def config(self) -> str:
        """The configuration, to be compared."""
        return _digest(self.folder / CONFIG)


def made(folder: Path) -> Files:
    """Make the files in a new folder."""
    folder.mkdir()
    for name, text in ((SUITE, _TESTS), (CONFIG, "[pytest]\naddopts = -q\n"), ("notes.txt", "the reader's own\n")):
        (folder / name).write_text(text)
    for name in (ALLOWED, OTHER):
        with closing(sqlite3.connect(folder / name)) as database, database:
            database.execute("create table site (id integer)")
            database.execute("insert into site values (1)")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in _CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / NOTEBOOK)
    return Files(folder, {path.name: _digest(path) for path in folder.iterdir()})


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "gone"


def _rows(path: Path) -> int:
    """How many rows a database has; -1 where it is damaged."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as database:
        if database.execute("pragma integrity_check").fetchone() == ("ok",):
            return int(database.execute("select count(*) from site").fetchone()[0])
    return -1


def _kind(path: Path) -> str:
    """A name without what was drawn for it."""
    parts = [part for part in path.name.replace("-", ".").split(".") if part]
    return ".".join(part for part in parts if not (len(part) == 8 and part.isalnum())) or path.name


def _is_whole(path: Path) -> bool:
    """Whether a written file can be read to its end."""
    if path.name.startswith("."):
        return True  # a new text beside the old one, under a name that nobody reads
    try:
        if path.suffix in (".json", ".ipynb"):
            json.loads(path.read_text("utf-8"))
        elif path.suffix == ".xml":
            ElementTree.fromstring(path.read_text("utf-8"))
        elif path.suffix == ".html":
            return path.read_text("utf-8").rstrip().endswith("</html>")
    except (ValueError, ElementTree.ParseError):
        return False
    return True
