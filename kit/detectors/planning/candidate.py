"""The interventions of a re-run for one finding, and their label. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kit.analysis.model import Finding
from kit.probes.interventions.base import WORKSPACE, Intervention
from kit.probes.interventions.connections import NOWHERE as NOWHERE

Values = Mapping[tuple[str, str | None], str]  # {(variable, its value in the evidence): the unredacted value}
TextOf = Callable[[str], str | None]  # the text of a file named in the evidence; None if there is none


@dataclass(frozen=True, slots=True)
class Candidate:
    """The interventions of a re-run that may show that a finding is the cause. `label` describes them ("without ...").

    `fix` is what to change if it is the cause. `otherwise` are alternative interventions, with `otherwise_label`, for a
    program that cannot run with the first ones. `at` is the location that is changed, if it is not the finding's.
    `carried` are lines that only pass on what the cause leads to: what else changes it there is no cause of its own.
    """

    finding: Finding[object]
    label: str
    interventions: tuple[Intervention, ...]
    fix: str
    otherwise: tuple[Intervention, ...] = ()
    otherwise_label: str = ""
    at: tuple[str | None, int | None] | None = None
    carried: tuple[tuple[str, int], ...] = ()

    @property
    def left_out(self) -> tuple[str, ...]:
        """The files and tests that the interventions leave out of the run."""
        return tuple(name for intervention in self.interventions for name in intervention.takes_away.tests)

    @property
    def kind(self) -> str:
        """The name of the finding's kind."""
        return self.finding.kind

    @property
    def what(self) -> str:
        """The finding's message."""
        return self.finding.message

    @property
    def file(self) -> str | None:
        """The file that is changed, else the finding's."""
        return self.at[0] if self.at is not None else self.finding.file

    @property
    def line(self) -> int | None:
        """The line that is changed, else the finding's."""
        return self.at[1] if self.at is not None else self.finding.line


def nowhere(url: str) -> str:
    """A URL of the kind of `url` that names no existing database: a new file of the re-run, or an unused port."""
    scheme = url.partition("://")[0]
    if scheme.startswith("sqlite"):
        return f"{scheme}:///{WORKSPACE}/{NOWHERE}"
    return f"{scheme}://{NOWHERE}@127.0.0.1:1/{NOWHERE}" if scheme else ""


def another(value: str) -> str:
    """A value of the kind of `value` (a URL, path or name) that names no existing database."""
    if "://" in value:
        return nowhere(value)
    return f"{WORKSPACE}/{NOWHERE}" if "/" in value or re.search(r"\.\w{2,7}$", value) else NOWHERE


def diff(file: str | None, line: int, before: str, after: str) -> str:
    """A change of one statement, as a short diff."""
    gone = [f"-{text}" for text in before.splitlines()]
    come = [f"+{text}" for text in after.splitlines()]
    return "\n".join([f"--- {file}", f"+++ {file}", f"@@ -{line},{len(gone)} +{line},{len(come)} @@", *gone, *come])
