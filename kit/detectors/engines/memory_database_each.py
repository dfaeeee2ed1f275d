"""memory-database-each: each connection has an in-memory database of its own, where one was meant for all."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, describe_tests
from kit.analysis.model import Fact, Finding, Nothing, fact, first, location
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import proposed_by
from kit.evidence.model import Connection, Use
from kit.probes.interventions.connections import OneInMemory

NAME = "memory-database-each"
_MAKES = ("create", "insert")


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each in-memory engine: was one connection written to, and another one used in a test that failed?"""
    failed = {one.test for one in case.evidence.outcomes if one.outcome == "failed"}
    by_engine = _uses(case)
    for engine in case.evidence.engines:
        uses = by_engine.get(engine.engine, [])
        made = next((use for use in uses if use.verb in _MAKES), None)
        others = [use for use in uses if made is not None and use.connection != made.connection and use.test in failed]
        at = first(case.evidence.chain(engine))
        if made is None or not others or at is None:
            continue
        tests = tuple(dict.fromkeys(use.test for use in others if use.test is not None))
        where = first(case.evidence.chain(others[0]))
        yield Finding(
            NAME,
            f"each connection of the engine made at {location(at.file, at.line)} ({engine.url}, {engine.pool}) is an "
            f"in-memory database of its own: {made.verb} {', '.join(made.tables)} ran on one, and "
            f"{location(where.file, where.line) if where else 'a use'} in {describe_tests(tests)} used another, which "
            "is empty.",
            at.file,
            at.line,
            Nothing(),
            (
                fact(case.evidence, made, f"{made.verb} {', '.join(made.tables)} on connection {made.connection}"),
                fact(case.evidence, others[0], f"connection {others[0].connection} used"),
                Fact("the engine was made here", at.file, at.line, engine.at_s),
            ),
            tests=tests,
        )


def _uses(case: Case) -> dict[str | None, list[Use]]:
    """The uses of private in-memory databases, by engine, because a suite may make an engine for each test."""
    private = {one.connection for one in case.evidence.connections if _is_private(one)}
    found: dict[str | None, list[Use]] = {}
    for use in case.evidence.uses:
        if use.connection in private:
            found.setdefault(use.engine, []).append(use)
    return found


def _is_private(connection: Connection) -> bool:
    """Whether it is an in-memory database that no other connection can reach."""
    observed = connection.observed or {}
    return "file" in observed and not observed["file"] and "mode=memory" not in connection.configured


def interventions(finding: Finding[Nothing], context: Context) -> Iterator[Candidate]:
    """Use one connection for each in-memory database."""
    yield proposed_by(finding, OneInMemory(), advice(finding))


def advice(finding: Finding[Nothing]) -> str:
    """Share one connection."""
    return (
        f"At {finding.where} make the engine with poolclass=StaticPool and connect_args={{'check_same_thread': False}},"
        " so that all uses share one connection; or use a file."
    )


KIND = Kind(
    NAME,
    "An in-memory database for each connection",
    Explanation(
        what="The tables were made in one in-memory database, and the test used another one, which is empty.",
        comes_about="With sqlite:// each connection is a database of its own. A pool that gives each thread, or each "
        "use, another connection gives it another database.",
        example="""
        engine = create_engine("sqlite://", poolclass=NullPool)
        Base.metadata.create_all(engine)       # in a database that ends with this connection
        """,
        proved="A re-run in which all connections to memory share one database.",
        to_do="Use StaticPool with check_same_thread False, or a file.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
