"""What reached which database, in which test, and by which route?"""

from __future__ import annotations

import collections.abc
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from kit.analysis.databases import Database, databases
from kit.evidence.model import Callable, Connection, Engine, Entry, Evidence, Frame, Refusal, Session, Sighting

MODULE = "<module>"
_TEST_FILE = re.compile(r"(^|/)(conftest|tests?|test_[^/]*|[^/]*_tests?)\.py$|(^|/)tests?/")
IN_TESTS = ("fixture", "set-up", "test", "teardown")  # the routes by which tests themselves reach a database
Judge = collections.abc.Callable[[str], bool]  # whether a file belongs to the tests


@dataclass(frozen=True, slots=True)
class Reach:
    """A database was reached: from which test and phase, by which route (`how`), and by which code.

    `chain` is the stack that opened the session or connection, innermost first; `used` the stack of the statement.
    `count` is the number of such uses, `entry` the first of them. `stopped` means that the connection was refused
    before any statement.
    """

    database: Database
    test: str | None
    phase: str
    how: str
    chain: tuple[Frame, ...]
    used: tuple[Frame, ...]
    engine: Engine | None
    connection: Connection
    entry: Entry
    dependency: Callable | None = None
    override: Callable | None = None
    writes: bool = False
    count: int = 1
    stopped: bool = False

    @property
    def opener(self) -> Frame | None:
        """The innermost frame of `chain`; None for an empty chain."""
        return self.chain[0] if self.chain else None


def reaches(evidence: Evidence, folder: str = "", known: Mapping[str, Database] | None = None) -> tuple[Reach, ...]:
    """Everything that reached a database or was refused, ordered by time.

    Equal uses within one test are counted in one reach.
    """
    known = databases(evidence, folder) if known is None else known
    sightings = [sighting for sighting in evidence.sightings() if sighting.connection.connection in known]
    used = {sighting.connection.connection for sighting in sightings}
    unused = [one for one in evidence.connections if one.connection not in used and one.connection in known]
    refused = {refusal.connection: refusal for refusal in evidence.refusals}
    named = _Named(
        {session.session: session for session in evidence.sessions},
        {engine.engine: engine for engine in evidence.engines},
        {one.callable: one for one in evidence.callables} if evidence.refusals else {},
        _overridden(evidence),
    )
    found = [_reach_of_use(evidence, known, named, sighting) for sighting in sightings]
    for connection in unused:
        refusal = refused.get(connection.connection)
        found.append(
            _unused(evidence, known, named, connection)
            if refusal is None
            else _reach_of_refusal(evidence, known, named, connection, refusal)
        )
    return _merged(sorted(found, key=lambda reach: reach.entry.at_s))


@dataclass(frozen=True, slots=True)
class _Named:
    """The record's entries by their names."""

    sessions: Mapping[str, Session]
    engines: Mapping[str, Engine]
    callables: Mapping[str, Callable]
    overridden: tuple[Callable, ...]


def _overridden(evidence: Evidence) -> tuple[Callable, ...]:
    """The callables that had an override at any time."""
    keys = {change.key for change in evidence.overrides if change.op != "removed"}
    return tuple(known for known in evidence.callables if known.callable in keys)


def _reach_of_use(evidence: Evidence, known: Mapping[str, Database], named: _Named, sighting: Sighting) -> Reach:
    use, session = sighting.use, named.sessions.get(sighting.use.session or "")
    chain = evidence.chain(session) if session is not None else _opened_here(evidence, sighting)
    chain = chain or sighting.chain
    return Reach(
        known[sighting.connection.connection],
        use.test,
        use.phase,
        _how(evidence, named, use, sighting.dependency, sighting.override, chain),
        chain,
        sighting.chain,
        sighting.engine,
        sighting.connection,
        use,
        sighting.dependency,
        sighting.override,
        use.writes,
    )


def _unused(evidence: Evidence, known: Mapping[str, Database], named: _Named, connection: Connection) -> Reach:
    """A reach for a connection on which no statement was seen."""
    engine = named.engines.get(connection.engine or "")
    chain = _of_its_pool(evidence, connection, engine)
    return Reach(
        known[connection.connection],
        connection.test,
        connection.phase,
        _route(evidence, connection, chain),
        chain,
        chain,
        engine,
        connection,
        connection,
    )


def _reach_of_refusal(
    evidence: Evidence, known: Mapping[str, Database], named: _Named, connection: Connection, refusal: Refusal
) -> Reach:
    """A reach for a refused connection; its route is that of the engine and session that requested it."""
    engine = named.engines.get(refusal.engine or connection.engine or "")
    session = named.sessions.get(refusal.session or "")
    dependency, override = named.callables.get(refusal.dependency or ""), named.callables.get(refusal.override or "")
    asked = _of_its_pool(evidence, connection, engine)
    chain = (evidence.chain(session) if session is not None else ()) or asked
    return Reach(
        known[connection.connection],
        refusal.test,
        refusal.phase,
        _how(evidence, named, refusal, dependency, override, chain),
        chain,
        asked,
        engine,
        connection,
        refusal,
        dependency,
        override,
        stopped=True,
    )


def _how(
    evidence: Evidence,
    named: _Named,
    entry: Entry,
    dependency: Callable | None,
    override: Callable | None,
    chain: tuple[Frame, ...],
) -> str:
    if override is not None and dependency is not None:
        return "override"
    if dependency is not None:
        # A dependency may call an overridden one itself, as in Repo.__init__: next(get_db()).
        past = any(called_directly(known, chain) is not None for known in (dependency, *named.overridden))
        return "direct call" if past else "dependency"
    return _route(evidence, entry, chain)


def _opened_here(evidence: Evidence, sighting: Sighting) -> tuple[Frame, ...]:
    """The stack of a connection without an engine that was opened for this use; empty for other connections."""
    opened, use = sighting.connection, sighting.use
    here = (opened.test, opened.phase, opened.request, opened.stage) == (use.test, use.phase, use.request, use.stage)
    return evidence.chain(opened) if here and not opened.pooled and opened.engine is None else ()


def _of_its_pool(evidence: Evidence, connection: Connection, engine: Engine | None) -> tuple[Frame, ...]:
    """The stack of a connection; if a pool opened it in a task of its own, the stack of the engine."""
    chain = evidence.chain(connection)
    by_itself = all(frame.file.startswith("site-packages/") for frame in chain)
    return (evidence.chain(engine) if by_itself and engine is not None else ()) or chain


def _route(evidence: Evidence, entry: Entry, chain: Iterable[Frame]) -> str:
    """The route of code outside dependencies, from the activity at that moment."""
    chain = tuple(chain)
    if entry.stage == "background":
        return "background task"
    if entry.stage == "lifespan":
        return "lifespan"
    if entry.request is not None:
        if any(called_directly(known, chain) is not None for known in dependencies_of(evidence)):
            return "direct call"
        if getattr(entry, "inside", None) is None and in_middleware(evidence, chain):
            return "middleware"
        return "without a dependency"
    if entry.fixture is not None:
        return "fixture"
    if entry.phase in ("configure", "collection"):
        if any(frame.function == MODULE for frame in chain):
            return "import"
        return "plugin" if entry.phase == "configure" else "collection"
    if entry.thread is not None and not any(is_test_file(frame.file) for frame in chain):
        return "thread"
    return {"start": "program", "call": "test", "setup": "set-up", "teardown": "teardown"}.get(entry.phase, entry.phase)


def is_test_file(file: str) -> bool:
    """Whether a file belongs to the tests, by its name or folder."""
    return bool(_TEST_FILE.search(file.replace(os.sep, "/")))


def done_by_tests(evidence: Evidence, entry: Entry, of_tests: Judge = is_test_file) -> bool:
    """Whether test code did something; what a module does while tests import it counts as the module's."""
    for frame in evidence.chain(entry):
        if of_tests(frame.file):
            return True
        if frame.function == MODULE:
            return False
    return entry.fixture is not None


def called_by_tests(chain: tuple[Frame, ...], of_tests: Judge = is_test_file) -> Frame | None:
    """The line of test code that called the application; None if tests only imported it or are not on the stack."""
    return next(
        (
            outer
            for inner, outer in pairwise(chain)
            if of_tests(outer.file) and not of_tests(inner.file) and inner.function != MODULE
        ),
        None,
    )


def dependencies_of(evidence: Evidence) -> Iterable[Callable]:
    """All callables in a Depends(...) or overridden; no other callable of an application can have an override."""
    declared = {call for graph in evidence.graphs for route in graph.routes for call in route.calls}
    declared |= {call for event in evidence.dependencies for call, _ in event.supplied_by}
    declared |= {change.key for change in evidence.overrides}
    return (known for known in evidence.callables if known.callable in declared)


def called_directly(dependency: Callable, chain: Iterable[Frame]) -> Frame | None:
    """The frame that called a dependency without a library in between; None when FastAPI called it, or nothing did."""
    chain = tuple(chain)
    for inner, outer in pairwise(chain):
        if runs(dependency, inner) and inner.called_by is None:
            return outer
    return None


def in_middleware(evidence: Evidence, chain: Iterable[Frame]) -> bool:
    """Whether code of an application's middleware is on a stack."""
    parts = {call for part in evidence.app_parts for call in part.middleware}
    known = [known for known in evidence.callables if known.callable in parts]
    return any(runs(one, frame) for one in known for frame in chain)


def runs(known: Callable, frame: Frame) -> bool:
    """Whether a frame belongs to a callable: a function, or a method of a class."""
    if known.file != frame.file:
        return False
    qualified = known.name.removeprefix(f"{known.name.partition('.')[0]}.")
    return any(
        frame.function in (name, f"{name}.__call__", f"{name}.__init__", f"{name}.dispatch")
        for name in {known.name.rpartition(".")[2], *_suffixes(qualified)}
    )


def _suffixes(name: str) -> Iterable[str]:
    """A dotted name and its suffixes, because it is unknown which part is the module's."""
    parts = name.split(".")
    return (".".join(parts[number:]) for number in range(len(parts)))


def _merged(found: Iterable[Reach]) -> tuple[Reach, ...]:
    """Merge reaches that differ in nothing that is reported."""
    pool: dict[tuple[object, ...], Reach] = {}
    for reach in found:
        key = (
            reach.database.id,
            reach.test,
            reach.phase,
            reach.how,
            reach.opener,
            reach.engine and reach.engine.engine,
            reach.entry.fixture,
            reach.stopped,
        )
        before = pool.get(key)
        pool[key] = (
            reach
            if before is None
            else replace(
                before,
                count=before.count + 1,
                writes=before.writes or reach.writes,
            )
        )
    return tuple(pool.values())
