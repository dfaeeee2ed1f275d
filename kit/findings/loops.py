"""Was a connection that is bound to one event loop used on another?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.evidence import ForeignLoop
from kit.findings.case import Case
from kit.findings.model import Fact, Finding, fact, first
from kit.findings.sources import made_at


def ask(case: Case) -> Iterator[Finding]:
    """For each engine whose connections crossed from one loop to another: where was it made, and who used it there?"""
    evidence = case.evidence
    engines = {engine.engine: engine for engine in evidence.engines}
    connections = {connection.connection: connection for connection in evidence.connections}
    seen: set[tuple[str | None, int | None]] = set()
    for event in evidence.foreign_loops:
        engine = engines.get(event.engine or "")
        opened = connections.get(event.connection)
        at = made_at(evidence, engine) if engine is not None else first(evidence.chain(opened)) if opened else None
        if at is None or (at.file, at.line) in seen:
            continue
        seen.add((at.file, at.line))
        began = opened.test if opened is not None else None
        yield Finding(
            "event-loop-bound-pool",
            f"connection {event.connection} of the engine made at {at} was opened on event loop {event.opened_on} "
            f"({began or 'before the tests'}) and is now used on loop {event.used_on} ({event.test or event.phase}). "
            "The engine outlives the loop: scope loop and engine alike, or dispose between tests.",
            at.file,
            at.line,
            (
                *((fact(evidence, opened, "the connection was opened"),) if opened is not None else ()),
                fact(evidence, event, "and used on another loop"),
                *_engine(at),
            ),
            (),
            tuple(_tests(evidence.foreign_loops, event)),
            (("engine", event.engine or ""),),
        )


def _engine(at: object) -> Iterator[Fact]:
    yield Fact(f"its engine was made at {at}")


def _tests(events: tuple[ForeignLoop, ...], event: ForeignLoop) -> Iterator[str]:
    yield from dict.fromkeys(other.test for other in events if other.engine == event.engine and other.test)
