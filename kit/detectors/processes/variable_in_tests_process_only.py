"""variable-in-tests-process-only: another process of the run lacks a variable that the tests set in their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak
from kit.analysis.model import Finding, fact, first, location
from kit.analysis.other_processes import with_tests
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import set_in_time
from kit.detectors.words import Sources, Words
from kit.evidence.model import Process, Variable

NAME = "variable-in-tests-process-only"
_SHOWN = 60  # characters of a command line


@dataclass(frozen=True, slots=True)
class About:
    """The variable, its value in the evidence, the URL of the other process's engine, and that process's command."""

    variable: str
    value: str
    url: str
    argv: tuple[str, ...] = ()


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak in a process without tests: which variable did it lack that the tests had set in theirs?"""
    theirs = with_tests(case.evidence)
    for leak in case.leaks:
        process = leak.first.entry.process
        if process in theirs:
            continue
        asked, given = _missing_read(case, leak, theirs)
        if asked is not None and given is not None:
            yield _finding(case, leak, asked, given)


def _missing_read(case: Case, leak: Leak, theirs: set[int]) -> tuple[Variable | None, Variable | None]:
    """The last read of an unset variable before the engine was made, and the event in which the tests set it."""
    entry = leak.engine or leak.first.entry
    events = (*case.evidence.modes, *case.evidence.variables)
    for asked in sorted(events, key=lambda event: event.at_s, reverse=True):
        if asked.op != "missing" or asked.process != entry.process or asked.at_s > entry.at_s:
            continue
        for given in events:
            mine = given.op == "set" and given.name == asked.name and given.process in theirs
            if mine and case.done_by_tests(given):
                return asked, given
    return None, None


def _finding(case: Case, leak: Leak, asked: Variable, given: Variable) -> Finding[About]:
    at, reader = first(case.evidence.chain(given)), first(case.evidence.chain(asked))
    read = location(reader.file, reader.line) if reader else "?"
    where = location(at.file, at.line) if at else "the tests"
    process = case.evidence.processes[asked.process]
    return of_leak(
        case,
        leak,
        NAME,
        f"{leak.database.name} answered in another process than the tests' ({_short_command(process)}), which has no "
        f"{asked.name} where it is read, at {read}: {where} sets it in the tests' own process alone.",
        at,
        About(asked.name, given.value or "", leak.engine.url if leak.engine is not None else "", process.argv),
        (
            fact(case.evidence, asked, f"{asked.name} read, and not set, in that process"),
            fact(case.evidence, given, f"{asked.name} set where the tests run"),
        ),
    )


def _short_command(process: Process) -> str:
    said = " ".join(process.argv)
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}..."


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Set the variable from the start, in every process."""
    about = finding.about
    yield set_in_time(finding, context, about.variable, about.value, about.url, advice(finding))


def advice(finding: Finding[About]) -> str:
    """Set the variable for both processes."""
    return (
        f"Set {finding.about.variable} for both processes: in the script that starts them, before the first; or start "
        "the other one from a fixture, with the tests' environment."
    )


def _started(about: About, sources: Sources) -> str:
    """The line that started the other process."""
    line = sources.line_that_starts(about.argv)
    return f"{line} starts that process." if line else ""


KIND = Kind(
    NAME,
    "A variable that only the tests' process has",
    Explanation(
        what="A server, a worker or another process of the same run answers the tests, and lacks the variable that the "
        "tests set.",
        comes_about="os.environ of a conftest.py belongs to pytest's process and to what it starts from then on. A "
        "server that a script started before, or beside it, has its own.",
        example="""
        # run_tests.sh: python -m uvicorn app.main:app & python -m pytest
        os.environ["TESTING"] = "True"       # conftest.py: not in the server
        """,
        proved="A re-run in which every process has the variable from the start.",
        to_do="Set it in the script, before either is started, or let a fixture start the server.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="{where} sets {variable} in the tests' process only, and another process answers",
    words=Words(brought=_started),
)
