"""The commands' own work: run, analyse, report. Writes only to the given files and to standard error."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import msgspec

from kit.analysis.databases import allowed
from kit.answer.model import Answer, answer, contract
from kit.errors import KitError, NotStarted, TraceError
from kit.evidence.probe_files import as_text
from kit.probes.redact import known, redact, without_secrets
from kit.report.answer_text import github, text
from kit.report.printable import printable
from kit.report.source_lines import source_of
from kit.tracing import files
from kit.tracing.command import Traced, here, silent, trace
from kit.tracing.guarded import Stopping, guard_notice, guard_of, require_allowlist


def trace_and_report(
    command: Sequence[str],
    allow: Sequence[str],
    json: Path | None,
    html: Path | None,
    format: str,
    *,
    stop: bool = False,
    allow_driver: Sequence[str] = (),
) -> int:
    """Trace a command, report on standard error and in files, and return the command's own exit code.

    An empty `allow` means that there is no allow-list. With `stop`, connections off the list are refused;
    `allow_driver` are drivers and clients that may connect although their target is unknown. A command that cannot be
    started gives the exit code of a shell: 127 when it does not exist, 126 when it cannot be executed. Raises
    TraceError for bad options.
    """
    place = here()
    json, html = check(json, html)
    require_allowlist(stop, allow, allow_driver)
    entries = allowed(allow, place).entries
    stopping = Stopping(entries, tuple(allow_driver)) if stop else None
    say(f"this run is {guard_notice(guard_of(command, place, os.environ, stopping))}")
    try:
        traced = trace(command, stopping=stopping)
    except NotStarted as error:
        say(str(error))
        return error.returncode
    try:
        found = ask(traced, allow, place)
        print_answer(found, traced, format)
        write(found, None, json, html)
    except KitError as error:
        say(str(error))
    except Exception:  # the command has ended, and its exit code is returned whatever happens to the answer
        say(f"the answer could not be made, which is a fault of the kit itself\n{traceback.format_exc()}")
    return traced.returncode


def ask(traced: Traced, allow: Sequence[str], folder: Path | None = None) -> Answer:
    """Analyse the evidence of a run."""
    named = allowed(allow, folder if folder is not None else here())
    named = replace(named, folder=as_text(named.folder))  # in the form in which the record names it
    return answer(traced.evidence, named, named.folder)


def print_answer(found: Answer, traced: Traced, format: str) -> None:
    """Print the answer on standard error, because standard output belongs to the command."""
    for line in silent(traced.evidence):
        say(line)
    if traced.evidence.processes:
        put(github(found) if format == "github" else text(found), sys.stderr)


def say(line: str) -> None:
    """Print a line of the kit's own on standard error, without passwords."""
    put(f"kit: {line}\n", sys.stderr)


def put(said: str, stream: TextIO | None) -> None:
    """Write to a standard stream, without secrets, in its encoding. Does nothing when the stream is closed."""
    if stream is None:
        return
    said = printable(redact(said))
    try:
        stream.write(said.encode(stream.encoding or "utf-8", "backslashreplace").decode(stream.encoding or "utf-8"))
        stream.flush()
    except (OSError, ValueError):  # ValueError when the stream was closed
        return


def check(json: Path | None, html: Path | None) -> tuple[Path | None, Path | None]:
    """The absolute paths of the answer's files. Raises TraceError, before anything is run, when one cannot be written.

    Absolute, because the command may remove its working directory.
    """
    json, html = (files.check(path) if path is not None else None for path in (json, html))
    if json is not None and html is not None and json.resolve() == html.resolve():
        raise TraceError(f"--json and --html name one file, {json}", remedy="name a file for each")
    if html is not None:
        _need_jinja2()
    return json, html


def _need_jinja2() -> None:
    import importlib.util

    if importlib.util.find_spec("jinja2") is None:
        raise TraceError(
            "--html needs jinja2, which is not installed here",
            wanted="jinja2 in the kit's environment",
            remedy="pip install jinja2, or leave out --html: --json and the text do not need it",
        )


def write(found: Answer, diagnosis: Mapping[str, Any] | None, json: Path | None, html: Path | None) -> None:
    """Write the answer to the requested files. Raises TraceError on failure; the previous content then remains."""
    if json is not None:
        value = without_secrets(msgspec.to_builtins(contract(found, diagnosis)))
        files.write(json, msgspec.json.format(msgspec.json.encode(value), indent=2))
    if html is not None:
        from kit.report.answer_page import page

        files.write(html, known().out_of(page(found, diagnosis, source_of(found.allowed.folder))).encode())
