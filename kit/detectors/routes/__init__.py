"""Routes to a database to which overrides do not apply."""

from __future__ import annotations

__all__: list[str] = []
