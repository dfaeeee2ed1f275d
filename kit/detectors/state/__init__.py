"""State that one test leaves for another."""

from __future__ import annotations

__all__: list[str] = []
