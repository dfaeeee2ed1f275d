"""The kinds of finding, a file each: how it is detected, what a re-run changes to prove it, what to do about it."""

from __future__ import annotations

__all__: list[str] = []
