"""Proves a cause by experiment: the same command again with one thing changed, and once more with it put back."""

from __future__ import annotations

from kit.diagnose.asked import diagnose, diagnose_and_tell

__all__ = ["diagnose", "diagnose_and_tell"]
