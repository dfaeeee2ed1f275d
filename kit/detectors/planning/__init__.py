"""What interventions are planned with: candidates, the project's texts, and the changes that several kinds share."""

from __future__ import annotations

__all__: list[str] = []
