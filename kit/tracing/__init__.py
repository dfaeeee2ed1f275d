"""Runs the reader's command with the probes, and reports which database each test reached."""

from __future__ import annotations

from kit.tracing.answering import ask, check, put, say, tell, trace_and_report, write
from kit.tracing.command import Traced, here, silent, trace, workspace
from kit.tracing.guarded import Stopping, guard_of, hold_to_servers, needs_a_list, said_before

__all__ = [
    "Stopping", "Traced", "ask", "check", "guard_of", "here", "hold_to_servers", "needs_a_list", "put", "said_before",
    "say", "silent", "tell", "trace", "trace_and_report", "workspace", "write",
]  # fmt: skip
