"""Variables that lead to another database than the tests mean."""

from __future__ import annotations

__all__: list[str] = []
