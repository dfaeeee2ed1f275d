"""The habits of the tests themselves: each says its property, waits for events, and is never left out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# The projects in the folders of tests/cases are what is tested, and test nothing of the kit's.
FILES = sorted(path for path in TESTS.rglob("test_*.py") if "cases" not in path.relative_to(TESTS).parts[:-2])
LEFT_OUT = {"skip", "skipif", "skipunless", "xfail", "importorskip"}


def faults(source: str) -> list[str]:
    """Return what a file of tests does that none should."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            first_line = (ast.get_docstring(node) or "").split("\n\n")[0]
            if not first_line.endswith((".", "?")):
                found.append(f"{node.name} does not open with a sentence")
        elif isinstance(node, ast.Attribute) and node.attr in LEFT_OUT:
            found.append(f"line {node.lineno}: {node.attr}")
        elif isinstance(node, ast.ExceptHandler) and all(isinstance(line, ast.Pass) for line in node.body):
            found.append(f"line {node.lineno}: an error is swallowed")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_files_keep_the_habits(path: Path) -> None:
    """Every test opens with a sentence that states its property, none is left out, and no error is swallowed."""
    assert faults(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "def test_it():\n    assert True",
        "def test_it():\n    'no sentence'",
        "import pytest\n@pytest.mark.skip\ndef test_it():\n    'It holds.'",
        "import pytest\ndef test_it():\n    'It holds.'\n    pytest.skip('later')",
        "def test_it():\n    'It holds.'\n    try:\n        f()\n    except OSError:\n        pass",
    ],
)
def test_a_broken_habit_is_seen(source: str) -> None:
    """Each habit, broken, is found."""
    assert len(faults(source)) == 1


def dropped_texts(source: str) -> list[int]:
    """Return the lines of texts with values in them that are made, and used for nothing."""
    found = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Expr))
    return [node.lineno for node in found if isinstance(node.value, ast.JoinedStr)]


def test_no_text_is_made_and_dropped() -> None:
    """A text in two lines without parentheses is one text and a statement that does nothing: no file has one."""
    files = [path for folder in ("kit", "tools") for path in (TESTS.parent / folder).rglob("*.py")]
    assert {str(path): lines for path in files if (lines := dropped_texts(path.read_text()))} == {}
    assert dropped_texts('x = f"{1}"\nf"{x}"') == [2]
