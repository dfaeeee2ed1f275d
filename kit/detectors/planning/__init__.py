"""The tools for planning interventions: candidates, the project's source, and changes that several kinds share."""

from __future__ import annotations

__all__: list[str] = []
