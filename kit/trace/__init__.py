"""Runs the reader's own command with the probes carried in, and says which database each test reached."""

from __future__ import annotations

from kit.trace.asked import ask, check, tell, trace_and_tell, write
from kit.trace.command import Traced, silent, trace

__all__ = ["Traced", "ask", "check", "silent", "tell", "trace", "trace_and_tell", "write"]
