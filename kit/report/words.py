"""Values in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def words(value: object) -> str:
    """Return an expected or observed value as text: lists and mappings by their elements, or "none"."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {words(part)}" for key, part in value.items()) or "none"
    return ", ".join(map(words, value)) or "none" if isinstance(value, list | tuple) else str(value)
