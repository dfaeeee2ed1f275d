"""What is said of a run: the answer of a trace, the steps that led there, the outcome of a diagnosis."""

from __future__ import annotations

__all__: list[str] = []
