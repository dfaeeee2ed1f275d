"""The kinds of finding, one file each: how it is detected, which re-run proves it, and what to change."""

from __future__ import annotations

__all__: list[str] = []
