"""Findings: questions over evidence, one a file, each pure: what was seen -> what is wrong, and where."""

from __future__ import annotations

__all__: list[str] = []
