"""What a run shows: which databases were reached and how, where their URLs came from, what was to stand in for them."""

from __future__ import annotations

__all__: list[str] = []
