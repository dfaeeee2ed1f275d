"""connected-elsewhere: the connections of an engine go to another database than its URL names."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, of_leak, within
from kit.analysis.engine_creator import connected_by
from kit.analysis.led_elsewhere import connects_elsewhere
from kit.analysis.model import Finding, Nothing
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import proposed_by
from kit.probes.interventions.connections import NoCreator

NAME = "connected-elsewhere"


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each leak through an engine that names another database: what opened the connection?"""
    for leak in case.leaks:
        if leak.engine is None or not connects_elsewhere(leak.first):
            continue
        at, by = connected_by(case, leak.engine, case.evidence.chain(leak.first.connection))
        yield of_leak(
            case,
            leak,
            NAME,
            f"{leak.database.name} answered {within(leak.tests)}, although its engine names {leak.engine.url}: "
            f"{by} opens the engine's connections, and does not use that URL.",
            at,
            Nothing(),
        )


def interventions(finding: Finding[Nothing], context: Context) -> Iterator[Candidate]:
    """Connect each engine to the database that its URL names."""
    yield proposed_by(finding, NoCreator(), advice(finding))


def advice(finding: Finding[Nothing]) -> str:
    """Connect to the database that the URL names."""
    return f"At {finding.where} connect to the database that the engine's URL names, or leave `creator` out."


KIND = Kind(
    NAME,
    "An engine that connects to another database than its URL names",
    Explanation(
        what="The engine's URL names the test database, and its connections go to another one.",
        comes_about="create_engine(..., creator=...), async_creator, a pool made by hand or a listener for do_connect "
        "opens the connection, and the URL is not used.",
        example="""
        engine = create_engine(test_url, creator=lambda: psycopg.connect(PRODUCTION))
        """,
        proved="A re-run in which engines connect to the database that their URL names.",
        to_do="Let the creator use the engine's URL, or leave it out.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
