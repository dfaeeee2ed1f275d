"""Processes that use other settings than the tests' process."""

from __future__ import annotations

__all__: list[str] = []
