"""Every spelling of a password planted in what is run, a kill at a chosen moment, and a search of what is left."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from tests.spellings import core, planted

KIT = Path(__file__).parents[1]
SHARED_MEMORY = Path("/dev/shm")
# Settings, ids, raised errors, output, variables, processes, threads, drivers; of one spelling each has its own secret,
# since what the kit learns in one place would hide it in the others.
PLACES = "sirovptd"
KILL = """\
import json, os, signal

TEXTS = json.load(open(os.environ["SPELLINGS"]))  # by the letter of a place

def kill(moment):
    if os.environ.get("KILL_AT") == moment:
        os.kill(int(os.environ["KIT_PID"]), signal.SIGKILL)
"""
START = "import os; os.environ['KIT_PID'] = str(os.getpid()); "
COMMAND = f"{START}from kit.cli import main; main()"
PAPERMILL = f"{START}from papermill.cli import papermill; papermill()"


def run(
    folder: Path, program: str, *arguments: str, kill_at: str, texts: Mapping[str, list[str]] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program in `folder / "project"`; all that it writes elsewhere, for the user or for a while, is in `left`.

    The texts are those that it finds by the letters of places. It ends once all processes that it started have closed
    its output, even if it is killed before.
    """
    texts = texts or {place: planted(place) for place in PLACES}
    (folder / "spellings.json").write_text(json.dumps(texts))
    own = {name: folder / "left" / name for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")}
    for place in (*own.values(), folder / "left" / "on the way"):
        place.mkdir(parents=True)
    variables = {
        "SPELLINGS": folder / "spellings.json", "KILL_AT": kill_at, "SEEN_ON_THE_WAY": folder / "left" / "on the way",
        "PYTHONPATH": KIT, **own,
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=folder / "project", capture_output=True, timeout=400,
        env={**os.environ, **{name: str(value) for name, value in variables.items()}}, check=False,
    )  # fmt: skip


def in_shared_memory() -> set[Path]:
    """Return the files in shared memory, those of other programs included."""
    return set(SHARED_MEMORY.iterdir()) if SHARED_MEMORY.is_dir() else set()


def found(*texts: bytes | Path, places: Iterable[str] = PLACES) -> Mapping[str, str]:
    """The spellings of which a secret is in a text, or in a file or a name below a folder, each with a place."""
    read = [(where, text) for where, text in _texts(*texts) if re.search(rb"Z[a-z]\d{3}", text)]
    return {
        spelling: where for place in places for number, spelling in enumerate(planted(place)) for where, text in read
        if core(number, place).encode() in text
    }  # fmt: skip


def _texts(*texts: bytes | Path) -> Iterator[tuple[str, bytes]]:
    for text in texts:
        if isinstance(text, bytes):
            yield "shown", text
            continue
        for path in (text, *text.rglob("*")):
            yield "a name", os.fsencode(path)
            with suppress(FileNotFoundError):  # in shared memory other programs' files come and go
                if path.is_file():
                    yield str(path), path.read_bytes()
