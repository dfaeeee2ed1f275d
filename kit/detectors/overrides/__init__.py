"""Overrides that are not in effect when a dependency is resolved."""

from __future__ import annotations

__all__: list[str] = []
