"""What a run shows: which databases were reached and how, where their URLs came from, what should replace them."""

from __future__ import annotations

__all__: list[str] = []
