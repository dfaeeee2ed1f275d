"""Remove secrets from executed notebooks and everything made from them. The probes' redactor recognises secrets."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.probes.redact import (
    HIDDEN,
    Known,
    found_in,
    names_a_secret,
    public_among,
    redact,
    secrets_among,
    secrets_of_command,
)
from kit.probes.settings_files import variables_in
from kit.report.printable import shortened

ERROR_AT_MOST = 20_000  # characters of an error's text, and of each line of its traceback
LINES_AT_MOST = 200  # lines of a traceback
_MARGIN = 20_000  # characters searched beyond the kept ones, so that no half of a secret remains at the cut
_UNCLEAN_AT_MOST = ERROR_AT_MOST + _MARGIN
_NO_TEXT = re.compile(r"image/(?!svg)|audio/|video/|application/pdf")


@dataclass(frozen=True, slots=True)
class Secrets:
    """Values to remove, in addition to secrets that are recognised by their form."""

    known: Known = field(default_factory=Known, repr=False)

    @classmethod
    def of(cls, *named: Mapping[str, Any], folders: tuple[Path, ...] = (), nb: Any = None) -> Secrets:
        """Collect the secrets in variables and parameters, in .env files of folders, and in a notebook's source."""
        files = [variables_in(file) for folder in folders for file in sorted(folder.glob("*.env*"))]
        public = {value for values in (*named, *files) for value in public_among(values)}
        found = [value for values in (*named, *files) for value in secrets_among(values)]
        return cls(Known(value for value in (*found, *_literals(nb)) if value not in public))

    def and_of(self, *named: Mapping[str, Any]) -> Secrets:
        """These secrets, and those in further variables."""
        public = {value for values in named for value in public_among(values)}
        return Secrets(self.known.and_of(one for values in named for one in secrets_among(values) if one not in public))

    def within(self, text: str) -> bool:
        """Whether one of the values is in `text`."""
        return self.known.within(text)

    def out_of(self, text: str, before: str = "") -> str:
        """Return `text` with every secret replaced, by value and form; lines `before` it may name its columns."""
        return self.known.out_of(redact(text, before))

    def out_of_notebook(self, nb: Any) -> list[int]:
        """Replace secrets in a notebook, in place; return the positions of cells whose outputs contained one."""
        _map_texts(nb.metadata, self.out_of)
        held = []
        for index, cell in enumerate(nb.cells):
            cell.source = self._out_of_source(cell)
            _map_texts(cell.metadata, self.out_of)
            _map_texts(cell.get("attachments", {}), self.out_of)
            if self.out_of_outputs(cell):
                held.append(index)
        return held

    def out_of_outputs(self, cell: Any) -> bool:
        """Replace secrets in the outputs of a cell, in place, and shorten errors; return whether there were any."""
        _cut_errors(cell, _UNCLEAN_AT_MOST)
        held = _map_texts(cell.get("outputs", []), self.out_of)
        _cut_errors(cell, ERROR_AT_MOST)
        return held

    def _out_of_source(self, cell: Any) -> str:
        """Replace secrets in a cell's source. Python stays valid Python, because the claims are parsed from it."""
        source, without = str(cell.source), self.out_of(cell.source)
        if cell.cell_type != "code" or without == source or not _is_python(source) or _is_python(without):
            return without
        return self.known.out_of(source)


def _literals(nb: Any) -> Iterator[str]:
    """Yield the secrets in the source code of a notebook, which may appear in its outputs."""
    for cell in nb.cells if nb is not None else ():
        if cell.cell_type == "code" and not _is_python(cell.source):  # a command for a shell, for instance
            yield from found_in(cell.source)
        elif cell.cell_type == "code":
            for node in ast.walk(ast.parse(cell.source)):
                yield from secrets_among(dict(_named_in(node)))
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield from found_in(node.value)
                if isinstance(node, (ast.List, ast.Tuple)):
                    yield from secrets_of_command([_text_of(one) for one in node.elts])


def _text_of(node: ast.AST) -> str:
    """Return the text that an element of a list is, or for another a stand-in: its position counts in a command."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "x"


def _named_in(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the (name, string) pairs of an assignment, a dict or a keyword argument."""
    pairs: list[tuple[ast.AST | None, ast.AST | None]] = []
    if isinstance(node, ast.Assign):
        pairs = [(target, node.value) for target in node.targets]
    elif isinstance(node, ast.AnnAssign):
        pairs = [(node.target, node.value)]
    elif isinstance(node, ast.keyword):
        pairs = [(ast.Name(node.arg or ""), node.value)]
    elif isinstance(node, ast.Dict):
        pairs = list(zip(node.keys, node.values, strict=True))
    for target, value in pairs:
        inner = target.slice if isinstance(target, ast.Subscript) else target
        name = getattr(inner, "id", None) or getattr(inner, "attr", None) or getattr(inner, "value", None)
        if isinstance(name, str) and isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield name, value.value


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def cut_error(error: Any, at_most: int = _UNCLEAN_AT_MOST) -> None:
    """Shorten the texts of an error, in an output or a message, in place."""
    error["ename"], error["evalue"] = shortened(error["ename"], at_most), shortened(error["evalue"], at_most)
    traceback = error["traceback"]
    if len(traceback) > LINES_AT_MOST:
        traceback = [*traceback[: LINES_AT_MOST // 2], *traceback[-LINES_AT_MOST // 2 :]]
    error["traceback"] = [shortened(line, at_most) for line in traceback]


def _cut_errors(cell: Any, at_most: int) -> None:
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            cut_error(output, at_most)


def _map_texts(node: Any, change: Callable[[str], str]) -> bool:
    """Apply `change` to every string in nested dicts and lists, in place; return whether any changed.

    A value under the name of a secret is replaced entirely.
    """
    changed = False
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        if isinstance(key, str) and _NO_TEXT.match(key):
            continue
        if isinstance(value, str):
            named = isinstance(key, str) and value != "" and "://" not in value and names_a_secret(key)
            new = HIDDEN if named else change(value)
            if new != value:
                node[key] = new
                changed = True
        elif isinstance(value, (dict, list)):
            changed = _map_texts(value, change) or changed
    return changed
