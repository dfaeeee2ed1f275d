"""Proves a cause by re-runs: the same command with one intervention, and again without it."""

from __future__ import annotations

from kit.diagnosing.command import diagnose, diagnose_and_report

__all__ = ["diagnose", "diagnose_and_report"]
