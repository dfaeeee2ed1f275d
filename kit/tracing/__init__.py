"""Runs the reader's command with the probes, and reports which database each test reached."""

from __future__ import annotations

from kit.tracing.answering import ask, check, print_answer, put, say, trace_and_report, write
from kit.tracing.command import Traced, here, silent, trace, workspace
from kit.tracing.guarded import Stopping, guard_notice, guard_of, record_servers, require_allowlist

__all__ = [
    "Stopping",
    "Traced",
    "ask",
    "check",
    "guard_notice",
    "guard_of",
    "here",
    "print_answer",
    "put",
    "record_servers",
    "require_allowlist",
    "say",
    "silent",
    "trace",
    "trace_and_report",
    "workspace",
    "write",
]  # fmt: skip
