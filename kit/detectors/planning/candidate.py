"""What a re-run changes for one finding, and the words for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kit.analysis.model import Finding
from kit.probes.interventions.base import WORKSPACE, Intervention
from kit.probes.interventions.connections import NOWHERE as NOWHERE

Values = Mapping[tuple[str, str | None], str]  # a variable's name and value as evidence shows it -> the value itself
TextOf = Callable[[str], str | None]  # a file's text, by the name that evidence gives it; None where it has none


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a re-run changes to show that a finding is the cause. `label` says it in words ("without ...").

    `fix` is what to do if it is the cause. `otherwise` are interventions to the same end, with a label of their own,
    for when the program cannot run with the first ones.
    `at` is the file and line that is changed, where that is another than the finding's.
    """

    finding: Finding[object]
    label: str
    interventions: tuple[Intervention, ...]
    fix: str
    otherwise: tuple[Intervention, ...] = ()
    otherwise_label: str = ""
    at: tuple[str | None, int | None] | None = None

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
        """What the finding says."""
        return self.finding.message

    @property
    def file(self) -> str | None:
        """The file that is changed, or else the culprit's."""
        return self.at[0] if self.at is not None else self.finding.file

    @property
    def line(self) -> int | None:
        """The line that is changed, or else the culprit's."""
        return self.at[1] if self.at is not None else self.finding.line


def nowhere(url: str) -> str:
    """A URL of the kind of `url` where there is nothing: a file of the re-run's own, or a port of no server."""
    scheme = url.partition("://")[0]
    if scheme.startswith("sqlite"):
        return f"{scheme}:///{WORKSPACE}/{NOWHERE}"
    return f"{scheme}://{NOWHERE}@127.0.0.1:1/{NOWHERE}" if scheme else ""


def another(value: str) -> str:
    """A value of the kind of `value`, a URL or a file or a name, that leads to no database that is there."""
    if "://" in value:
        return nowhere(value)
    return f"{WORKSPACE}/{NOWHERE}" if "/" in value or re.search(r"\.\w{2,7}$", value) else NOWHERE


def diff(file: str | None, line: int, before: str, after: str) -> str:
    """A change of one statement, as a short diff."""
    gone = [f"-{text}" for text in before.splitlines()]
    come = [f"+{text}" for text in after.splitlines()]
    return "\n".join([f"--- {file}", f"+++ {file}", f"@@ -{line},{len(gone)} +{line},{len(come)} @@", *gone, *come])
