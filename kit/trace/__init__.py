"""Runs the reader's own command with the probes carried in, and says which database each test reached."""

from __future__ import annotations

from kit.trace.command import Traced, trace

__all__ = ["Traced", "trace"]
