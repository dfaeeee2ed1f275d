"""`kit.trace`: the command `kit trace` as a function that returns the answer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from kit.analysis.databases import allowed
from kit.answer.model import Answer
from kit.tracing.answering import ask
from kit.tracing.command import trace as run_traced
from kit.tracing.guarded import Stopping, require_allowlist


def trace(
    command: Sequence[str],
    allow: Sequence[str] = (),
    *,
    folder: str | Path = ".",
    environ: Mapping[str, str] | None = None,
    stop: bool = False,
    allow_driver: Sequence[str] = (),
    timeout_s: float | None = None,
) -> Answer:
    """Run `command` in `folder` with the probes; return which databases it reached, what opened them, and how.

    `allow` are the databases that tests may reach (docs/guard.md has the grammar); without it all are shown and none is
    judged. `environ` is the command's environment, by default this process's. With `stop` a connection off the list is
    refused before its first statement, except for the drivers and clients of `allow_driver`. The command's output is in
    `answer.evidence.output`, its exit code in `answer.evidence.exit_code`. After `timeout_s` seconds (None: no limit)
    it is ended with all its descendants, and `answer.evidence.timed_out` is set.

    Raises KitError when the command cannot be started, the allow-list is malformed, or the answer cannot be made.
    """
    place = Path(folder).resolve()
    require_allowlist(stop, allow, allow_driver)
    stopping = Stopping(allowed(allow, place).entries, tuple(allow_driver)) if stop else None
    environ = dict(os.environ if environ is None else environ)
    traced = run_traced(command, folder=place, environ=environ, quiet=True, timeout_s=timeout_s, stopping=stopping)
    return ask(traced, allow, place)
