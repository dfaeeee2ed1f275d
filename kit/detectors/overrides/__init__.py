"""Overrides that are not in place when a dependency is requested."""

from __future__ import annotations

__all__: list[str] = []
