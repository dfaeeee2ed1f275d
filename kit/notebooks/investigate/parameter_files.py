"""Parameters from YAML (files, strings, base64), with papermill's options; and the list of a notebook's parameters."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kit.errors import NotebookError
from kit.notebooks.investigate import parameters
from kit.notebooks.investigate.tasks import read_all


def from_yaml(
    files: Iterable[Path] = (), texts: Iterable[str] = (), encoded: Iterable[str] = ()
) -> dict[str, Any]:
    """Return {name: value}. Strings override files, files override base64; of one kind the last one counts.

    Raises NotebookError for input that cannot be read, is not YAML, or is not a mapping with names as keys.
    """
    found: dict[str, Any] = {}
    for text in encoded:
        found |= _mapping(_decoded(text), "What is given in base64")
    for path in files:
        found |= _mapping(_text_of(path), str(path))
    for text in texts:
        found |= _mapping(text, "The YAML that is given")
    return found


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise NotebookError("What is given in base64 cannot be decoded", remedy="encode YAML in UTF-8 by it") from None


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise NotebookError(f"{path} cannot be read: {error.strerror}", remedy="name a file of parameters") from None
    except UnicodeDecodeError:
        raise NotebookError(f"{path} is not text in UTF-8", remedy="name a file of parameters in YAML") from None


def _mapping(text: str, what: str) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise NotebookError(f"{what} is not YAML{where}", remedy="correct it") from None
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise NotebookError(
            f"{what} holds no parameters", wanted="names with their values, as `repetitions: 1`", remedy="correct it"
        )
    return found


def described(notebooks: Iterable[Path]) -> str:
    """Return a list of the notebooks' parameters as text; without paths, those of all notebooks that would run."""
    lines = []
    for task in read_all(tuple(notebooks)):
        lines.append(f"{task.path.name}:" if task.problem is None else f"{task.path.name}: {task.problem}")
        known = parameters.declared(task.nb, task.path.name)
        lines += [f"  {one}" for one in known.values()]
        if not known and task.problem is None:
            lines.append("  no parameters")
    return "\n".join(lines)
