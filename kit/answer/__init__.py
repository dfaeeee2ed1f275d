"""The reported results: the answer of a trace, the timeline of a reach, the outcome of a diagnosis."""

from __future__ import annotations

__all__: list[str] = []
