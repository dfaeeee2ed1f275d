"""Limits for the outputs of cells, and their copies outside the notebook."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TextIO

from kit.notebooks.investigate import OUTPUT_CELL_BYTES, OUTPUT_NOTEBOOK_BYTES
from kit.notebooks.investigate.scrub import cut_error
from kit.probes.redact import may_hold_a_secret

_OUTPUTS = ("stream", "display_data", "update_display_data", "execute_result", "error")
_LINES_KEPT = 8  # a head, what is drawn around it, and rows that show how it is aligned
_LINE_AT_MOST = 2000
_LAST_END_OF_LINE = re.compile(r".*[\n\r]", re.DOTALL)


class TooMuch(Exception):
    """A cell has exceeded its output limit; the message says which one."""


@dataclass(slots=True)
class Amount:
    """The size of the outputs that a notebook's cells have at present; cleared outputs do not count.

    In bytes, with each character counted as one.
    """

    cell_at_most: int = OUTPUT_CELL_BYTES
    notebook_at_most: int = OUTPUT_NOTEBOOK_BYTES
    _before: int = 0
    _since_counted: int = 0

    def begin_cell(self) -> None:
        """A cell begins."""
        self._since_counted = 0

    def end_cell(self, cell: Any) -> None:
        """A cell has finished: its remaining outputs count for the notebook."""
        self._before += size_of(cell.outputs)

    def check(self, message: Any) -> None:
        """Check a message before it is added. Shortens errors; raises TooMuch if the message alone exceeds a limit."""
        if message["msg_type"] == "error":
            cut_error(message["content"])
        if message["msg_type"] in _OUTPUTS:
            self._compare(size_of(message["content"]))

    def count(self, message: Any, cell: Any) -> None:
        """Count a message that was added. Raises TooMuch if the outputs exceed a limit."""
        self._since_counted += size_of(message["content"])
        # The sum of all messages is never less than the present size, so the size is measured only beyond the limit.
        if self._since_counted > min(self.cell_at_most, self.notebook_at_most - self._before):
            self._since_counted = size_of(cell.outputs)
            self._compare(self._since_counted)

    def _compare(self, size: int) -> None:
        if size > self.cell_at_most:
            raise TooMuch(f"the cell wrote more than {_megabytes(self.cell_at_most)}")
        if self._before + size > self.notebook_at_most:
            raise TooMuch(f"the notebook wrote more than {_megabytes(self.notebook_at_most)}")


def size_of(node: Any) -> int:
    """Return the number of characters of all strings in nested dicts and lists."""
    if isinstance(node, str):
        return len(node)
    if isinstance(node, dict):
        return sum(map(size_of, node.values()))
    return sum(map(size_of, node)) if isinstance(node, list | tuple) else 0


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:g} MB"


@dataclass(slots=True)
class Before:
    """The lines of a stream that may name the columns of those that follow: up to a blank line, and only a few."""

    _lines: list[str] = field(default_factory=list)
    _is_marked: bool = False

    @property
    def text(self) -> str:
        """The kept lines."""
        return "".join(self._lines)

    def add(self, text: str) -> None:
        """Take further lines of the stream."""
        for line in text.splitlines(keepends=True):
            if not line.strip() or len(line) > _LINE_AT_MOST:
                self._lines, self._is_marked = [], False
            elif not self._is_marked:
                self._is_marked = may_hold_a_secret(line)
                self._lines = [*self._lines[-1:], line]
            elif len(self._lines) < _LINES_KEPT:
                self._lines.append(line)


@dataclass(slots=True)
class Echo:
    """Copies the output of cells, as `papermill --log-output`, `--stdout-file` and `--stderr-file` do.

    Output is copied in whole lines, so that a secret cannot be split between two pieces; `clean` removes secrets from
    a text, given the lines before it, which may be the head of a table.
    """

    clean: Callable[[str, str], str]
    log: Any = None
    stdout: TextIO | None = None
    stderr: TextIO | None = None
    _held: dict[str, str] = field(default_factory=dict)
    _before: dict[str, Before] = field(default_factory=dict)

    def take(self, message: Any) -> None:
        """Copy what a message from the kernel shows."""
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            text = self._held.pop(content["name"], "") + content["text"]
            whole = _LAST_END_OF_LINE.match(text)
            cut = whole.end() if whole else 0
            self._write(content["name"], text[:cut])
            self._held[content["name"]] = text[cut:]
        elif kind in ("execute_result", "display_data") and self.log and "text/plain" in content["data"]:
            self.log.info(self.clean(content["data"]["text/plain"], ""))

    def end_cell(self) -> None:
        """Copy the last line, which may not be terminated."""
        held, self._held = self._held, {}
        for name, text in held.items():
            self._write(name, text)

    def _write(self, name: str, text: str) -> None:
        file = self.stdout if name == "stdout" else self.stderr
        if not text or (self.log is None and file is None):
            return
        before = self._before.setdefault(name, Before())
        earlier = before.text
        before.add(text)
        text = self.clean(text, earlier)
        if self.log is not None:
            (self.log.info if name == "stdout" else self.log.warning)(text)
        if file is not None:
            file.write(text)
            file.flush()
