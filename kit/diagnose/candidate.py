"""One thing to change in a run, and the words for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kit.diagnose.advice import advice
from kit.findings.model import Finding

Change = dict[str, Any]
NOWHERE = "kit_nowhere"  # stands in a place that only an experiment names
Values = Mapping[tuple[str, str | None], str]  # a variable's name and value as evidence shows it -> the value itself
TextOf = Callable[[str], str | None]  # a file's text, by the name that evidence gives it; None where it has none


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing to change. `label` says it as a person would ("without ..."), `fix` what to do if it is the cause.

    `left_out` are files and tests that the change takes out of the run. `otherwise` are changes to the same end, with a
    label of their own, for when the program cannot run with these.
    """

    kind: str
    label: str
    what: str
    file: str | None
    line: int | None
    changes: tuple[Change, ...]
    fix: str
    left_out: tuple[str, ...] = ()
    otherwise: tuple[Change, ...] = ()
    otherwise_label: str = ""

    @property
    def key(self) -> str:
        """What tells this change from another."""
        return repr(self.changes)


def about(
    finding: Finding,
    label: str,
    *changes: Change,
    fix: str | None = None,
    left_out: tuple[str, ...] = (),
    otherwise: tuple[Change, ...] = (),
    otherwise_label: str = "",
) -> Candidate:
    """A change that a finding suggests, with the finding's own kind, words and place; `fix` None takes its advice."""
    return Candidate(
        finding.kind,
        label,
        finding.message,
        finding.file,
        finding.line,
        changes,
        advice(finding) if fix is None else fix,
        left_out,
        otherwise,
        otherwise_label,
    )


def nowhere(url: str) -> str:
    """A URL of the kind of `url` where there is nothing: a file of the experiment's own, or a port of no server."""
    scheme = url.partition("://")[0]
    if scheme.startswith("sqlite"):
        return f"{scheme}:///{{workspace}}/{NOWHERE}"
    return f"{scheme}://{NOWHERE}@127.0.0.1:1/{NOWHERE}" if scheme else ""


def another(value: str) -> str:
    """A value of the kind of `value`, a URL or a file or a name, that leads to no database that is there."""
    if "://" in value:
        return nowhere(value)
    return f"{{workspace}}/{NOWHERE}" if "/" in value or re.search(r"\.\w{2,7}$", value) else NOWHERE


def diff(file: str | None, line: int, before: str, after: str) -> str:
    """A change of one statement, as a short diff."""
    gone = [f"-{text}" for text in before.splitlines()]
    come = [f"+{text}" for text in after.splitlines()]
    return "\n".join([f"--- {file}", f"+++ {file}", f"@@ -{line},{len(gone)} +{line},{len(come)} @@", *gone, *come])
