"""The commands' own work: run, ask, tell. Writes only to the files that it is given and to standard error."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from kit.errors import TraceError
from kit.findings.answer import Answer, answer, contract
from kit.findings.databases import allowed
from kit.report.answer_text import github, text
from kit.trace.command import Traced, silent, trace


def trace_and_tell(
    command: Sequence[str],
    allow: Sequence[str],
    json: Path | None,
    html: Path | None,
    format: str,
) -> int:
    """Trace a command, tell what was found on standard error and in files, and return the command's own exit code.

    An empty `allow` means that nobody has said which databases may be reached.
    """
    check(html)
    allowed(allow, Path.cwd())
    traced = trace(command)
    found = ask(traced, allow)
    write(found, None, json, html)
    tell(found, traced, format)
    return traced.returncode


def ask(traced: Traced, allow: Sequence[str], folder: Path | None = None) -> Answer:
    """Put every question to a run."""
    named = allowed(allow, folder or Path.cwd())
    return answer(traced.evidence, named, named.folder)


def tell(found: Answer, traced: Traced, format: str) -> None:
    """Say what was found, on standard error: standard output is the command's."""
    for line in silent(traced.evidence):
        print(f"kit: {line}", file=sys.stderr)
    if traced.evidence.processes:
        print(github(found.findings) if format == "github" else text(found), end="", file=sys.stderr)


def check(html: Path | None) -> None:
    """Fail before anything is run where the page could not be made: TraceError."""
    if html is None:
        return
    import importlib.util

    if importlib.util.find_spec("jinja2") is None:
        raise TraceError(
            "--html needs jinja2, which is not installed here",
            wanted="jinja2 beside the kit",
            remedy="pip install jinja2, or leave --html out: --json and the text need nothing more",
        )


def write(found: Answer, diagnosis: Mapping[str, Any] | None, json: Path | None, html: Path | None) -> None:
    """Write the answer to the files that were asked for."""
    value = contract(found, diagnosis)
    if json is not None:
        _write(json, msgspec.json.format(msgspec.json.encode(value), indent=2))
    if html is not None:
        from kit.report.answer_page import page

        _write(html, page(found, diagnosis).encode())


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise TraceError(f"{path} cannot be written: {error.strerror}", remedy="name another place") from None
