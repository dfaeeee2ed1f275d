"""What cells write: how much of it there may be, and where it goes beside the notebook."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TextIO

from kit.notebooks.investigate import OUTPUT_CELL_BYTES, OUTPUT_NOTEBOOK_BYTES
from kit.notebooks.investigate.scrub import cut_error

_OUTPUTS = ("stream", "display_data", "update_display_data", "execute_result", "error")
_LAST_END_OF_LINE = re.compile(r".*[\n\r]", re.DOTALL)


class TooMuch(Exception):
    """A cell has written more than it may. Says what, in a sentence."""


@dataclass(slots=True)
class Amount:
    """How much the cells of a notebook have written that is still there; what was cleared does not count.

    In bytes, a letter of whatever alphabet counted as one.
    """

    cell_at_most: int = OUTPUT_CELL_BYTES
    notebook_at_most: int = OUTPUT_NOTEBOOK_BYTES
    _before: int = 0
    _since_counted: int = 0

    def begin_cell(self) -> None:
        """A cell begins."""
        self._since_counted = 0

    def end_cell(self, cell: Any) -> None:
        """A cell has come to its end: what it has left counts for the notebook."""
        self._before += size_of(cell.outputs)

    def check(self, message: Any) -> None:
        """Look at a message before it is taken. Errors are cut; TooMuch where nothing else could make room for it."""
        if message["msg_type"] == "error":
            cut_error(message["content"])
        if message["msg_type"] in _OUTPUTS:
            self._compare(size_of(message["content"]))

    def count(self, message: Any, cell: Any) -> None:
        """Count a message that was taken. TooMuch where there is more than the limit allows."""
        self._since_counted += size_of(message["content"])
        # A sum of all that came is never less than what is there, so that this is worth a look only beyond the limit.
        if self._since_counted > min(self.cell_at_most, self.notebook_at_most - self._before):
            self._since_counted = size_of(cell.outputs)
            self._compare(self._since_counted)

    def _compare(self, size: int) -> None:
        if size > self.cell_at_most:
            raise TooMuch(f"the cell wrote more than {_megabytes(self.cell_at_most)}")
        if self._before + size > self.notebook_at_most:
            raise TooMuch(f"the notebook wrote more than {_megabytes(self.notebook_at_most)}")


def size_of(node: Any) -> int:
    """Return how many characters the texts in nested dicts and lists have."""
    if isinstance(node, str):
        return len(node)
    if isinstance(node, dict):
        return sum(map(size_of, node.values()))
    return sum(map(size_of, node)) if isinstance(node, list | tuple) else 0


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:g} MB"


@dataclass(slots=True)
class Echo:
    """Passes on what cells write, as `papermill --log-output`, `--stdout-file` and `--stderr-file` promise.

    It does so in whole lines, in which a secret cannot hide across a seam; `clean` takes it out.
    """

    clean: Callable[[str], str]
    log: Any = None
    stdout: TextIO | None = None
    stderr: TextIO | None = None
    _held: dict[str, str] = field(default_factory=dict)

    def take(self, message: Any) -> None:
        """Pass on what a message from the kernel shows."""
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            text = self._held.pop(content["name"], "") + content["text"]
            whole = _LAST_END_OF_LINE.match(text)
            cut = whole.end() if whole else 0
            self._write(content["name"], text[:cut])
            self._held[content["name"]] = text[cut:]
        elif kind in ("execute_result", "display_data") and self.log and "text/plain" in content["data"]:
            self.log.info(self.clean(content["data"]["text/plain"]))

    def end_cell(self) -> None:
        """Pass on the last line, which may have no end."""
        held, self._held = self._held, {}
        for name, text in held.items():
            self._write(name, text)

    def _write(self, name: str, text: str) -> None:
        file = self.stdout if name == "stdout" else self.stderr
        if not text or (self.log is None and file is None):
            return
        text = self.clean(text)
        if self.log is not None:
            (self.log.info if name == "stdout" else self.log.warning)(text)
        if file is not None:
            file.write(text)
            file.flush()
