"""Engines and connections that lead elsewhere than the tests mean."""

from __future__ import annotations

__all__: list[str] = []
