"""Find the statement at a line, and replace it by one without effect. Pure: text in, lines out."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a module: its first and last line, and its text."""

    first: int
    last: int
    text: str
    by_the_way: bool = False  # an expression statement, whose value is discarded

    @property
    def left_out(self) -> tuple[int, int, str]:
        """The statement's lines replaced by ones without effect, in equal number so that line numbers stay the same."""
        indent = self.text[: len(self.text) - len(self.text.lstrip())]
        return self.first, self.last, f"{indent}pass" + "\n#" * (self.last - self.first)


def statement_at(source: str, line: int) -> Statement | None:
    """The simple statement that covers a line; None if there is none, or it shares a line with another."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    lines = source.splitlines()
    covering = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and _covers(node, line)]
    simple = [node for node in covering if not hasattr(node, "body")]
    if not simple or simple[-1].end_lineno is None:
        return None
    node = simple[-1]
    end = node.end_lineno or node.lineno
    text = "\n".join(lines[node.lineno - 1 : end])
    alone = not lines[node.lineno - 1][: node.col_offset].strip() and ";" not in _after(lines[end - 1], node)
    by_the_way = isinstance(node, ast.Expr) and not isinstance(node.value, ast.Yield | ast.YieldFrom)
    return Statement(node.lineno, end, text, by_the_way) if alone else None


def _covers(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _after(line: str, node: ast.stmt) -> str:
    return line[node.end_col_offset or len(line) :].partition("#")[0]
