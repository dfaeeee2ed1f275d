"""event-loop-bound-pool: a connection was opened on one event loop and is used on another."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case
from kit.analysis.model import Fact, Finding, Nothing, fact, first
from kit.analysis.url_source import made_at
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import proposed_by
from kit.evidence.model import ForeignLoop
from kit.probes.interventions.connections import NoPool

NAME = "event-loop-bound-pool"


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each engine whose connections were used on another loop: where was it made, and what used them there?"""
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
            NAME,
            f"connection {event.connection} of the engine made at {at} was opened on event loop {event.opened_on} "
            f"({began or 'before the tests'}) and is now used on loop {event.used_on} ({event.test or event.phase}). "
            "The engine outlives the loop: scope loop and engine alike, or dispose between tests.",
            at.file,
            at.line,
            Nothing(),
            (
                *((fact(evidence, opened, "the connection was opened"),) if opened is not None else ()),
                fact(evidence, event, "and used on another loop"),
                *_engine(at),
            ),
            (),
            tuple(_tests(evidence.foreign_loops, event)),
        )


def _engine(at: object) -> Iterator[Fact]:
    yield Fact(f"its engine was made at {at}")


def _tests(events: tuple[ForeignLoop, ...], event: ForeignLoop) -> Iterator[str]:
    yield from dict.fromkeys(other.test for other in events if other.engine == event.engine and other.test)


def interventions(finding: Finding[Nothing], context: Context) -> Iterator[Candidate]:
    """Turn off connection pools."""
    yield proposed_by(finding, NoPool(), advice(finding))


def advice(finding: Finding[Nothing]) -> str:
    """Close connections before their event loop ends."""
    return (
        f"Make the engine at {finding.where} with poolclass=NullPool under test, dispose of it after each test, or run "
        "all tests on one loop (loop scope session)."
    )


KIND = Kind(
    NAME,
    "A pool that outlives its event loop",
    Explanation(
        what="A connection of an asynchronous engine was opened on one event loop and is used on another.",
        comes_about="pytest-asyncio gives each test a loop of its own, and the engine is a global: its pool keeps "
        "connections of closed loops.",
        example="""
        engine = create_async_engine(url)      # a global, with a pool

        @pytest.mark.asyncio                   # a loop for each test
        async def test_sites(): ...
        """,
        proved="A re-run without connection pools.",
        to_do="Use NullPool under test, dispose of the engine after each test, or run all tests on one loop.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
