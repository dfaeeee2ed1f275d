"""Did the re-run get as far as the first run? Each affected test must connect at the same line. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kit.analysis.reach import Reach
from kit.evidence.model import Connection, Entry, Evidence, Frame
from kit.probes.interventions.base import Intervention
from kit.probes.interventions.overrides import FollowName
from kit.probes.interventions.texts import EditModule, PathFirst

_CONCURRENT_ROUTES = ("thread",)  # routes of code that a test starts and that may reach its line during a later test


@dataclass(frozen=True, slots=True)
class DatabaseRequest:
    """A request for a database, whether it answered or not: the test and phase, the program, and the frames."""

    test: str | None
    phase: str
    program: str
    frames: tuple[Frame, ...]


def database_requests(run: Evidence) -> tuple[DatabaseRequest, ...]:
    """All requests for a database in a run: those that were answered, that failed, and that were refused."""
    sessions = {session.session: session for session in run.sessions}
    requests = []
    for seen in run.sightings():
        session = sessions.get(seen.use.session or "")
        opened = run.chain(session) if session is not None else ()
        frames = (*seen.chain, *opened, *run.chain(seen.connection))
        requests.append(DatabaseRequest(seen.use.test, seen.use.phase, program(run, seen.use), frames))
    requests += [DatabaseRequest(one.test, one.phase, program(run, one), _made(run, one)) for one in run.connections]
    others = (*run.failed_connections, *run.refusals)
    return (*requests, *(DatabaseRequest(one.test, one.phase, program(run, one), run.chain(one)) for one in others))


def _made(run: Evidence, connection: Connection) -> tuple[Frame, ...]:
    """The stack of a connection; if a pool opened it in a task of its own, the engine's stack is added."""
    engine = next((one for one in run.engines if one.engine == connection.engine), None)
    chain = run.chain(connection)
    by_itself = engine is not None and all(frame.file.startswith("site-packages/") for frame in chain)
    return (*chain, *run.chain(engine)) if by_itself and engine is not None else chain


def unrepeated_reaches(
    first: Evidence, reaches: Sequence[Reach], now: Sequence[DatabaseRequest],
    interventions: Sequence[Intervention] = (),
) -> Iterator[Reach]:
    """The reaches of the first run whose test or program no longer requests a database at the same line."""
    # Then another file may be loaded under the module's name.
    elsewhere = any(isinstance(one, PathFirst) for one in interventions)
    for reach in reaches:
        who, lines = program(first, reach.entry), _lines(first, reach)
        if not any(_is_alike(reach, who, lines, ask, elsewhere) for ask in now):
            yield reach


def _is_alike(reach: Reach, who: str, lines: tuple[Frame, ...], ask: DatabaseRequest, elsewhere: bool) -> bool:
    at_its_time = (ask.test, ask.phase) == (reach.test, reach.phase) or reach.how in _CONCURRENT_ROUTES
    if ask.program != who or not at_its_time:
        return False
    return not lines or any(_same(line, frame, elsewhere) for line in lines for frame in ask.frames)


def _same(line: Frame, frame: Frame, elsewhere: bool) -> bool:
    if (line.file, line.line) == (frame.file, frame.line):
        return True
    names = os.path.basename(line.file), line.function
    return elsewhere and names == (os.path.basename(frame.file), frame.function)


def _lines(run: Evidence, reach: Reach) -> tuple[Frame, ...]:
    """The lines at which a database was reached: of the statement, of the session's opener, and of the connection."""
    return (*reach.used[:1], *reach.chain[:1], *run.chain(reach.connection)[:1])


def used_stand_in(run: Evidence, reach: Reach, interventions: Sequence[Intervention]) -> bool:
    """Tell whether the tests' own stand-in, which need not connect to anything, was used in the dependency's place.

    The stand-in is one that the tests had set for that very dependency, and the same test passed with it.
    """
    dependency = reach.dependency
    replaced = {one.dependency for one in interventions if isinstance(one, FollowName)}
    if dependency is None or dependency.name not in replaced:
        return False
    passed = any(
        outcome.test == reach.test and outcome.when == "call" and outcome.outcome == "passed"
        for outcome in run.outcomes
    )
    names = {one.callable: one.name for one in run.callables}
    return passed and any(
        event.test == reach.test and any(names.get(declared) == dependency.name for declared, _ in event.passed_over)
        for event in run.dependencies
    )


def removed_reach(interventions: Sequence[Intervention], reaches: Sequence[Reach]) -> Reach | None:
    """A reach whose own code the interventions leave out: nothing is requested then, whatever the cause."""
    return next((reach for reach in reaches if any(_removes_code_of(one, reach) for one in interventions)), None)


def _removes_code_of(intervention: Intervention, reach: Reach) -> bool:
    if isinstance(intervention, EditModule) and not intervention.removes:
        return False
    gone = intervention.takes_away
    if gone.route:
        return reach.how == gone.route
    return any(gone.holds(frame.file, frame.line) for frame in (*reach.chain, *reach.used))


def is_child(run: Evidence, entry: Entry) -> bool:
    """Whether an entry is from a process that another process with probes started."""
    if entry.process >= len(run.processes):
        return False
    return run.processes[entry.process].ppid in {process.pid for process in run.processes}


def program(run: Evidence, entry: Entry) -> str:
    """The name of the program that a process with probes started; "" for the command's own process."""
    if not is_child(run, entry):
        return ""
    name = os.path.basename((run.processes[entry.process].argv or ("",))[0])
    return "python" if name.startswith("-") or not name else name
