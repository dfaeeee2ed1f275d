"""The input of planning: the run, the project's source, the values of its variables. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.analysis.case import Case, Leak
from kit.analysis.made_alike import one_of_several
from kit.analysis.model import Finding
from kit.analysis.reach import Reach
from kit.analysis.url_source_text import describe_url_source
from kit.detectors.planning.allowed_databases import allowed_url
from kit.detectors.planning.candidate import Candidate, TextOf, Values, another
from kit.detectors.planning.statements import Statement, statement_at
from kit.evidence.model import Frame
from kit.probes.interventions.connections import RedirectEngine
from kit.probes.interventions.texts import EditSettings

if TYPE_CHECKING:
    from kit.detectors.kind import Kind


@dataclass(frozen=True, slots=True)
class Context:
    """What is known about a suite when interventions are planned. `kinds` are all kinds in the registry's order."""

    case: Case
    text_of: TextOf
    values: Values
    findings: tuple[Finding[object], ...]
    kinds: tuple[Kind[Any], ...]

    def kind(self, name: str) -> Kind[Any]:
        """The kind with this name."""
        return next(kind for kind in self.kinds if kind.name == name)

    def found(self, kind: str, leak: Leak) -> Finding[object] | None:
        """The finding of this kind about a leak; None if the run has none."""
        mine = (one for one in self.findings if one.kind == kind and leak.database.id in one.databases)
        return next((one for one in mine if set(leak.tests) <= set(one.tests) or not one.tests), None)

    def kind_of_route(self, leak: Leak, otherwise: str) -> str:
        """The name of the kind that represents a leak's route; `otherwise` if none does."""
        return next((kind.name for kind in self.kinds if kind.route and kind.route == leak.first.how), otherwise)

    def statement(self, file: str | None, line: int | None) -> Statement | None:
        """The simple statement at a line of a project file; None if there is none."""
        source = self.text_of(file) if file else None
        return statement_at(source, line) if source is not None and line else None

    def text_at(self, file: str | None, line: int | None) -> str:
        """The text of a line; "" if there is none."""
        lines = (self.text_of(file or "") or "").splitlines()
        return lines[line - 1] if line and line <= len(lines) else ""

    def value_in_dotenv(self, finding: Finding[object], name: str) -> str | None:
        """The value that the finding's line, in a dotenv file, sets a variable to; None if it sets none."""
        text = self.text_at(finding.file, finding.line)
        found = re.match(rf"\s*(?:export\s+)?{re.escape(name)}\s*=\s*(.*?)\s*$", text)
        return found[1].strip("\"'") if found else None

    def changed_line(self, file: str, number: int, value: str) -> EditSettings | None:
        """The line of a settings file changed to name a database that does not exist; None if it cannot be changed."""
        line = self.text_at(file, number)
        if not value or value not in line:  # the line contains a password that the evidence does not show
            return None
        return EditSettings(file, ((number, number, line.replace(value, another(value))),))

    def inherited(self, name: str) -> str:
        """The value of a variable when the command began; "" if it was not set."""
        return next(
            (
                event.value or ""
                for event in self.case.evidence.variables
                if event.op == "inherited" and event.name == name
            ),
            "",
        )

    def engine_of_tests(self) -> Frame | None:
        """Where the engine of an allowed reach was made; overrides are preferred over other reaches."""
        rightly = [reach for reach in self.allowed_reaches() if reach.engine is not None]
        ranked = sorted(rightly, key=lambda reach: reach.how != "override")
        for reach in ranked:
            assert reach.engine is not None
            made = self.case.evidence.chain(reach.engine)
            if made:
                return made[0]
        return None

    def connected_by_tests(self) -> Frame | None:
        """Where test code opens the allowed connection that an override supplies, without an engine."""
        for reach in self.allowed_reaches():
            chain = self.case.evidence.chain(reach.connection)
            if reach.how == "override" and reach.engine is None and chain:
                return chain[0]
        return None

    def allowed_reaches(self) -> Iterator[Reach]:
        """The allowed reaches."""
        wrong = {leak.database.id for leak in self.case.leaks}
        for reach in self.case.reached:
            if reach.database.id not in wrong and self.case.allowed.judge(reach.database) is not False:
                yield reach

    def leaks_of(self, finding: Finding[object]) -> list[Leak]:
        """The leaks that a finding is about: of its databases, in its tests, and through its line if any is."""
        mine = [
            leak
            for leak in self.case.leaks
            if leak.database.id in finding.databases and (not finding.tests or set(leak.tests) <= set(finding.tests))
        ]
        return [leak for leak in mine if _passes_through(self.case, leak, finding)] or mine

    def redirect_engines(
        self, leak: Leak, frames: tuple[tuple[str, int], ...] = (), sites: tuple[tuple[str, int], ...] = ()
    ) -> RedirectEngine:
        """The redirection of engines made through all these frames, or of connections through any of these lines."""
        meant = self.engine_of_tests()
        url = leak.engine.url if leak.engine is not None else leak.first.connection.configured
        return RedirectEngine(
            frames,
            meant.file if meant else "",
            meant.line if meant else 0,
            of=leak.engine.url if leak.engine is not None and one_of_several(self.case, leak, frames) else "",
            sites=sites,
            there=allowed_url(self, url),
        )

    def sites_of(self, leaks: Sequence[Leak]) -> tuple[tuple[str, int], ...]:
        """The lines through which leaks were reached: those of the statement, the session and the connection."""
        found: dict[tuple[str, int], None] = {}
        for leak in leaks:
            for reach in leak.reaches:
                lines = (*reach.used[:1], *reach.chain[:1], *self.case.evidence.chain(reach.connection)[:1])
                found.update({(frame.file, frame.line): None for frame in lines})
        return tuple(found)

    def engine_elsewhere(self, leak: Leak) -> Iterator[Candidate]:
        """The candidate that fits every leak from the application's own engine or connection: redirect it."""
        entry = leak.engine if leak.engine is not None else leak.first.connection
        chain = self.case.evidence.chain(entry)
        frames = [frame for frame in chain if not self.case.of_tests(frame.file)][:4]
        if not frames or frames[0].file.startswith("site-packages"):
            return
        made = "engine" if leak.engine is not None else "connection"
        lines = tuple((frame.file, frame.line) for frame in frames)
        finding = self._finding_on(leak, lines)
        led_elsewhere = self.redirect_engines(leak, lines)
        fix = self.kind(finding.kind).advice(finding) if finding is not None else ""
        yield Candidate(
            finding if finding is not None else self._engine_not_replaced(leak, frames[0], made),
            f"with the {made} of {frames[0].file}:{frames[0].line} redirected",
            (led_elsewhere,),
            fix or f"Let the tests put one of their own in place of {frames[0]}.",
        )

    def _finding_on(self, leak: Leak, lines: tuple[tuple[str, int], ...]) -> Finding[object] | None:
        """A finding on how a leak was reached whose line is among the redirected ones; None otherwise."""
        here = [finding for finding in self.findings if (finding.file, finding.line) in lines]
        reported = [finding for finding in here if self.kind(finding.kind).strength.explains_route]
        mine = [finding for finding in reported if leak.database.id in finding.databases]
        return next((finding for finding in mine if set(leak.tests) <= set(finding.tests)), None)

    def _engine_not_replaced(self, leak: Leak, frame: Frame, made: str) -> Finding[object]:
        why = describe_url_source(self.case.evidence, leak.first)
        return Finding(
            next(kind.name for kind in self.kinds if kind.strength.reports_no_replacement),
            f"{frame.file}:{frame.line} makes the {made} that leads to {leak.database.name}; {why}.",
            frame.file,
            frame.line,
            None,
        )


def _passes_through(case: Case, leak: Leak, finding: Finding[object]) -> bool:
    """Whether a leak was reached through a finding's line, or through an engine that this line made."""
    made = case.evidence.chain(leak.engine) if leak.engine is not None else ()
    frames = (frame for reach in leak.reaches for frame in (*reach.chain, *reach.used))
    return any((frame.file, frame.line) == (finding.file, finding.line) for frame in (*frames, *made))
