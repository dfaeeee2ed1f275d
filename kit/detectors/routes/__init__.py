"""Routes to a database that no override reaches."""

from __future__ import annotations

__all__: list[str] = []
