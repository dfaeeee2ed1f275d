"""environment-not-handed-on: a process was started without the variable that names the test database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak
from kit.analysis.model import Finding, fact, first, location
from kit.analysis.starters import starters
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import proposed_by
from kit.evidence.model import Child, Variable
from kit.probes.interventions.variables import HandOnVariable

NAME = "environment-not-handed-on"


@dataclass(frozen=True, slots=True)
class About:
    """The variable that is missing in the process."""

    variable: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak in a child process: which variable did it lack that its parent has?"""
    for leak in case.leaks:
        for asked in _missing(case, leak):
            child = _starter(case, leak, asked.name)
            if child is not None:
                yield _finding(case, leak, asked, child)
                break


def _finding(case: Case, leak: Leak, asked: Variable, child: Child) -> Finding[About]:
    at, reader = first(case.evidence.chain(child)), first(case.evidence.chain(asked))
    by = f" in {child.test}" if child.test is not None else ""
    given = _given(case, child, asked.name)
    line = first(case.evidence.chain(given)) if given is not None else None
    there = f" at {location(line.file, line.line)}" if line is not None else ""
    facts = [fact(case.evidence, child, f"{child.program} started without {asked.name}")]
    facts += [fact(case.evidence, given, f"{asked.name} set in the tests' process")] if given is not None else []
    return of_leak(
        case,
        leak,
        NAME,
        f"{leak.database.name} answered in {child.program}, which {at or 'the program'} starts{by} with an "
        f"environment of its own: it lacks {asked.name}, which is set in the tests' process{there}, and reads it "
        f"at {location(reader.file, reader.line) if reader else '?'}.",
        at,
        About(asked.name),
        tuple(facts),
    )


def _missing(case: Case, leak: Leak) -> list[Variable]:
    return [
        event
        for event in (*case.evidence.variables, *case.evidence.modes)
        if event.op == "missing" and event.process == leak.first.entry.process and event.at_s <= leak.first.entry.at_s
    ]


def _starter(case: Case, leak: Leak, name: str) -> Child | None:
    """The last start of the leak's process without a variable; None if there is none."""
    before = [child for child in starters(case.evidence, leak.first.entry) if name in child.dropped]
    return before[-1] if before else None


def _given(case: Case, child: Child, name: str) -> Variable | None:
    """The last time that the process which starts a child had set a variable before; None if it inherited it."""
    events = (*case.evidence.variables, *case.evidence.modes)
    before = [one for one in events if one.name == name and one.process == child.process and one.at_s <= child.at_s]
    given = [one for one in before if one.op == "set"]
    return max(given, key=lambda one: one.at_s, default=None)


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Pass the variable to started processes."""
    yield proposed_by(finding, HandOnVariable(finding.about.variable), advice(finding))


def advice(finding: Finding[About]) -> str:
    """Pass the variable on."""
    return f"At {finding.where} pass {finding.about.variable} on: env={{**os.environ, ...}}."


KIND = Kind(
    NAME,
    "A process started without the variable",
    Explanation(
        what="A process that the tests or the application started did not get the variable that names the test "
        "database.",
        comes_about="subprocess.run(..., env={...}) replaces the whole environment.",
        example="""
        subprocess.run([sys.executable, "-m", "app.worker"], env={"MODE": "once"})   # no DATABASE_URL
        """,
        proved="A re-run that passes the variable to the processes that are started.",
        to_do="Pass env={**os.environ, ...}.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
