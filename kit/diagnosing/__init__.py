"""Proves a cause by re-runs: the same command again with one thing changed, and once more with it put back."""

from __future__ import annotations

from kit.diagnosing.command import diagnose, diagnose_and_tell

__all__ = ["diagnose", "diagnose_and_tell"]
