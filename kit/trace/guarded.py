"""Is a command guarded (pytest's option --db-guard), as far as can be known before it runs?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

OPTION = "--db-guard"
NOT_GUARDED = "not guarded: it connects wherever it is configured to (pytest's --db-guard stops what is off the list)"
_CONFIGS = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")


def is_guarded(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> bool:
    """Whether the option stands in the command, in a variable, or in a file that pytest may read in `folder`."""
    if any(OPTION in text for text in (*command, environ.get("PYTEST_ADDOPTS", ""))):
        return True
    return any(OPTION in _text(place / name) for place in (folder, *folder.parents) for name in _CONFIGS)


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""
