"""Names without the parts that each run has of its own."""

from __future__ import annotations

from .own import own_builtins as __builtins__  # noqa: F401
from .own import re

_VOLATILE = re.compile(r"(?<![0-9])\d{3,}|(?<![0-9a-z])[0-9a-f]{8,}(?![0-9a-z])")


def stable(name: str) -> str:
    """Return a name with the parts replaced that vary between runs: process numbers, times, generated identifiers."""
    return _VOLATILE.sub("*", name)
