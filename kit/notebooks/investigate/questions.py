"""The predictions that a cell asks for, as text for a page: without the reasons, which give the answer away. Pure."""

from __future__ import annotations

import ast
from html import escape
from typing import Any


def as_text(cell: Any) -> str:
    """The questions of a code cell that is folded, with their options, in Markdown; "" if it asks none.

    Questions and options that are not written out, such as an f-string, are not known before the cell runs: then "".
    So it is with a cell that has shown something, as an error.
    """
    if cell.cell_type != "code" or cell.outputs or not cell.metadata.get("jupyter", {}).get("source_hidden"):
        return ""
    try:
        return "\n\n".join(_question(call) for call in _calls(ast.parse(cell.source)))
    except (SyntaxError, ValueError):  # a magic, or a question that is not written out
        return ""


def _calls(tree: ast.Module) -> list[ast.Call]:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in found if getattr(call.func, "id", "") == "predict" and len(call.args) == 3]


def _question(call: ast.Call) -> str:
    """One question above its options. Raises ValueError if they are not literals."""
    question, options = ast.literal_eval(call.args[1]), ast.literal_eval(call.args[2])
    return "\n".join([f"**Predict.** {_escaped(question)}", "", *(f"- {_escaped(option)}" for option in options)])


def _escaped(text: object) -> str:
    return escape(str(text), quote=False)
