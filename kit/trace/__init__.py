"""Runs the reader's own command with the probes carried in, and says which database each test reached."""

from __future__ import annotations

from kit.trace.asked import ask, check, put, say, tell, trace_and_tell, write
from kit.trace.command import Traced, here, silent, trace, workspace
from kit.trace.guarded import NOT_GUARDED, is_guarded

__all__ = [
    "NOT_GUARDED", "Traced", "ask", "check", "here", "is_guarded", "put", "say", "silent", "tell", "trace",
    "trace_and_tell", "workspace", "write",
]  # fmt: skip
