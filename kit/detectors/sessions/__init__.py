"""Sessions that are bound to another engine, kept too long, or not committed."""

from __future__ import annotations

__all__: list[str] = []
