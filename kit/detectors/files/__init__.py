"""Settings files and folders that lead to another database."""

from __future__ import annotations

__all__: list[str] = []
