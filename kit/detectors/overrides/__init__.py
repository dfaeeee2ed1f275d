"""Overrides that do not stand where a dependency is asked for."""

from __future__ import annotations

__all__: list[str] = []
