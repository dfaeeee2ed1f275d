"""What every experiment is made of: the evidence, the project's texts, the variables' values. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from kit.diagnose.advice import advice
from kit.diagnose.candidate import NOWHERE, Candidate, Change, TextOf, Values, another
from kit.diagnose.statements import Statement, statement_at
from kit.evidence import Frame
from kit.findings.case import Case, Leak
from kit.findings.model import Finding
from kit.findings.origins import origin_said
from kit.findings.table import HOW_REACHED


@dataclass(frozen=True, slots=True)
class Given:
    """What is known of a suite when experiments are planned, and the questions that they share."""

    case: Case
    text_of: TextOf
    values: Values
    findings: tuple[Finding, ...]

    def _statement(self, file: str | None, line: int | None) -> Statement | None:
        source = self.text_of(file) if file else None
        return statement_at(source, line) if source is not None and line else None

    def _line(self, file: str | None, line: int | None) -> str:
        lines = (self.text_of(file or "") or "").splitlines()
        return lines[line - 1] if line and line <= len(lines) else ""

    def _given_in(self, finding: Finding, name: str) -> str | None:
        """What the line of a finding gives a variable, where it is one of a file of variables."""
        found = re.match(rf"\s*(?:export\s+)?{re.escape(name)}\s*=\s*(.*?)\s*$", self._line(finding.file, finding.line))
        return found[1].strip("\"'") if found else None

    def _changed_line(self, file: str, number: int, value: str) -> Change | None:
        """The line of a settings file, naming a database that is not there."""
        line = self._line(file, number)
        if not value or value not in line:  # a password stands in it, which evidence does not show
            return None
        return {"op": "edit-data", "file": file, "lines": [[number, number, line.replace(value, another(value))]]}

    def _inherited(self, name: str) -> str:
        return next(
            (
                event.value or ""
                for event in self.case.evidence.variables
                if event.op == "inherited" and event.name == name
            ),
            "",
        )

    def _unset(self, kind: str, name: str, what: str, file: str | None, line: int | None, fix: str) -> Candidate:
        value = self._inherited(name)
        return Candidate(
            kind,
            f"without the variable {name}",
            what,
            file,
            line,
            ({"op": "unset", "name": name},),
            fix,
            otherwise=({"op": "set", "name": name, "value": another(value)},) if value else (),
            otherwise_label=f"with {name} naming another database",
        )

    def _leave_out(self, kind: str, module: str, what: str, line: int | None, fix: str) -> Candidate:
        return Candidate(
            kind,
            f"without collecting {module}",
            what,
            module,
            line,
            ({"op": "leave-out", "files": [module]},),
            fix,
            (module,),
        )

    def _engine_of_tests(self) -> Frame | None:
        """Where the engine was made that overrides, or else the tests themselves, use and that is in order."""
        wrong = {leak.database.id for leak in self.case.leaks}
        rightly = [reach for reach in self.case.reached if reach.database.id not in wrong and reach.engine is not None]
        ranked = sorted(rightly, key=lambda reach: reach.how != "override")
        for reach in ranked:
            assert reach.engine is not None
            made = self.case.evidence.chain(reach.engine)
            if made:
                return made[0]
        return None

    def _connected_by_tests(self) -> Frame | None:
        """Where the tests' own code opens what an override supplies and is in order, without an engine."""
        wrong = {leak.database.id for leak in self.case.leaks}
        for reach in self.case.reached:
            chain = self.case.evidence.chain(reach.connection)
            if reach.how == "override" and reach.engine is None and reach.database.id not in wrong and chain:
                return chain[0]
        return None

    def _let_through(self, finding: Finding) -> str:
        """What to do where tests do without a fixture: one nearer to them can have taken its place, by its name."""
        name = finding.told("fixture")
        for file in _nearer(finding):
            for number, line in enumerate((self.text_of(file) or "").splitlines(), 1):
                if re.match(rf"\s*(async )?def {re.escape(name)}\(", line):
                    return (
                        f"The fixture {name} at {file}:{number} stands in the place of the one at {finding.where}: let "
                        f"it ask for that one (def {name}({name})), or give it another name and have both."
                    )
        return advice(finding)

    def last_resort(self, leak: Leak) -> Iterator[Candidate]:
        """What works wherever a leak comes from an engine, or a connection, of the application's own."""
        entry = leak.engine if leak.engine is not None else leak.first.connection
        chain = self.case.evidence.chain(entry)
        frames = [frame for frame in chain if not self.case.of_tests(frame.file)][:4]
        if not frames or frames[0].file.startswith("site-packages"):
            return
        meant, made = self._engine_of_tests(), "engine" if leak.engine is not None else "connection"
        finding, why = self._finding_on(leak), origin_said(self.case.evidence, leak.first)
        yield Candidate(
            finding.kind if finding else kind_of(leak, "engine-not-replaced"),
            f"with the {made} of {frames[0].file}:{frames[0].line} led elsewhere",
            finding.message
            if finding
            else f"{frames[0].file}:{frames[0].line} makes the {made} that leads to {leak.database.name}; {why}.",
            finding.file if finding else frames[0].file,
            finding.line if finding else frames[0].line,
            (
                {
                    "op": "lead-elsewhere",
                    "frames": [[frame.file, frame.line] for frame in frames],
                    "engine_file": meant.file if meant else None,
                    "engine_line": meant.line if meant else None,
                    "nowhere": "{workspace}/" + NOWHERE,
                },
            ),
            (advice(finding) if finding else "") or f"Let the tests put one of their own in place of {frames[0]}.",
        )

    def _finding_on(self, leak: Leak) -> Finding | None:
        """The finding that tells how a leak was reached; none that tells why, which this does not prove."""
        told = [finding for finding in self.findings if finding.kind in HOW_REACHED]
        mine = [finding for finding in told if leak.database.id in finding.databases]
        return next((finding for finding in mine if set(leak.tests) <= set(finding.tests)), None)


def _nearer(finding: Finding) -> Iterator[str]:
    """The files in which pytest looks for a fixture of the tests of a finding, before it comes to the finding's own."""
    for module in dict.fromkeys(test.partition("::")[0] for test in finding.tests):
        folder = PurePosixPath(module).parent
        for file in (module, *(str(above / "conftest.py") for above in (folder, *folder.parents))):
            if file == finding.file:
                break
            yield file


def redirected_session(opener: Frame, meant: Frame) -> Change:
    """The session that is opened here, bound to the engine that is made there."""
    return {
        "op": "redirect-session",
        "file": opener.file,
        "line": opener.line,
        "engine_file": meant.file,
        "engine_line": meant.line,
    }


def redirected_connection(opener: Frame, meant: Frame) -> Change:
    """What this function connects to, led where the tests' code at that line leads."""
    return {
        "op": "redirect-connection",
        "file": opener.file,
        "function": opener.function,
        "made_file": meant.file,
        "made_line": meant.line,
    }


def holds_variables(file: str) -> bool:
    """Whether a file holds variables and nothing else, as `.env` does."""
    return ".env" in file.rpartition("/")[2] or file.endswith("env")


def another_in(name: str, file: str) -> str:
    """How a change of one line of a file is said."""
    return f"with {name} in {file} naming another database"


def kind_of(leak: Leak, otherwise: str = "session-past-dependencies") -> str:
    """The kind of a cause, by the way in which its leak was reached."""
    return {
        "background task": "background-task-session",
        "middleware": "middleware-session",
        "thread": "thread-session",
        "called directly": "dependency-called-directly",
        "lifespan": "lifespan-engine",
    }.get(leak.first.how, otherwise)
