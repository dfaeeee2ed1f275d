"""The location of the kit's own notebooks: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

import kit
from kit.errors import NotebookError

NAME = "notebooks"
_PACKAGE = Path(kit.__file__).resolve().parent


def originals() -> list[Path]:
    """The kit's own notebooks, ordered by name. Raises NotebookError if this installation has none."""
    for folder in (_PACKAGE.parent / NAME, _PACKAGE / NAME / "originals"):
        if found := notebooks_in(folder):
            return found
    raise NotebookError("This installation of the kit has no notebooks", remedy="install the kit again")


def notebooks_in(folder: Path) -> list[Path]:
    """The notebooks of a folder, without those whose name begins with an underscore."""
    return sorted(path for path in folder.glob("*.ipynb") if not path.name.startswith("_"))
