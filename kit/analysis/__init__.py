"""Analysis of a run: the databases that were reached, the routes, the URL sources, and the inferred allow-list."""

from __future__ import annotations

__all__: list[str] = []
