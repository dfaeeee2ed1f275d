"""dependency-not-overridden: the tests have an engine of their own, and nothing makes the application use it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, of_leak, within
from kit.analysis.model import Finding, first, location
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import redirected_session
from kit.evidence.model import Engine

NAME = "dependency-not-overridden"


@dataclass(frozen=True, slots=True)
class About:
    """The dependency, as module.name, and where the tests make their own engine."""

    callable: str
    ours: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak through a dependency without an override: do the tests use a database of their own?"""
    ours = next(
        (
            reach
            for reach in case.reached
            if reach.database.id not in case.wrong and reach.engine is not None and _by_tests(case, reach.engine)
        ),
        None,
    )
    for leak in case.leaks:
        dependency = leak.first.dependency
        if leak.first.how != "dependency" or dependency is None or ours is None or ours.engine is None:
            continue
        made = first(case.evidence.chain(ours.engine))
        yield of_leak(
            case,
            leak,
            NAME,
            f"{case.request_of(leak)} got its session from {dependency.name} ({leak.opener}), which nothing overrides "
            f"{within(leak.tests)}: {leak.database.name} answered, and not {ours.database.name}, whose engine the "
            f"tests make at {made}.",
            leak.opener,
            About(dependency.name, location(made.file, made.line) if made else ""),
        )


def _by_tests(case: Case, engine: Engine) -> bool:
    return any(case.of_tests(frame.file) for frame in case.evidence.chain(engine)[:1])


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Bind the session that the dependency opened to the tests' engine."""
    meant = context.engine_of_tests()
    for leak in context.case.leaks:
        if meant and leak.opener and leak.opener.line == finding.line and leak.opener.file == finding.file:
            label = f"with the session of {finding.where} on the tests' engine"
            yield Candidate(finding, label, (redirected_session(leak.opener, meant),), advice(finding))
            return


def advice(finding: Finding[About]) -> str:
    """Override the dependency."""
    return (
        f"Where the tests make their client set app.dependency_overrides[{finding.about.callable}] to a function that "
        f"returns a session of their own engine ({finding.about.ours}), or configure the application with that "
        "database."
    )


KIND = Kind(
    NAME,
    "A dependency that nothing overrides",
    Explanation(
        what="The tests have a database of their own, and the application gets its session from a dependency that "
        "nothing overrides.",
        comes_about="The tests prepare and check rows on their own engine, and ask the application through a client "
        "that knows nothing of it.",
        example="""
        engine = create_engine("sqlite:///test.db")
        client = TestClient(app)               # and no app.dependency_overrides[get_db]
        """,
        proved="A re-run binds the dependency's session to the tests' engine.",
        to_do="Override the dependency with a session of the tests' engine.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
