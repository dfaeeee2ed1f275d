"""What is reported of a run: the answer of a trace, the steps that led to a database, the outcome of a diagnosis."""

from __future__ import annotations

__all__: list[str] = []
