"""The location of the kit's own notebooks: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import kit
from kit.errors import NotebookError

NAME = "notebooks"
GLOSSARY = "glossary.md"
"""The page beside the notebooks to which they link; it goes wherever they are copied."""
_PACKAGE = Path(kit.__file__).resolve().parent


def originals() -> list[Path]:
    """The kit's own notebooks, ordered by name. Raises NotebookError if this installation has none."""
    for folder in (_PACKAGE.parent / NAME, _PACKAGE / NAME / "originals"):
        if found := notebooks_in(folder):
            return found
    raise NotebookError("This installation of the kit has no notebooks", remedy="install the kit again")


def glossary_of(notebooks: Iterable[Path]) -> Path | None:
    """The glossary beside the first notebook that has one; None if none has."""
    beside = (path.with_name(GLOSSARY) for path in notebooks)
    return next((path for path in beside if path.is_file()), None)


def notebooks_in(folder: Path) -> list[Path]:
    """The notebooks of a folder, without those whose name begins with an underscore."""
    return sorted(path for path in folder.glob("*.ipynb") if not path.name.startswith("_"))
