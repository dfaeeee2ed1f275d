"""Variables that lead to another database than the tests intend."""

from __future__ import annotations

__all__: list[str] = []
