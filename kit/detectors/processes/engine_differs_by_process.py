"""engine-differs-by-process: one line of the tests uses another database in one process than in another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, of_leak, within
from kit.analysis.model import Finding, fact, first
from kit.analysis.other_processes import in_another_process
from kit.detectors.kind import Explanation, Kind, Strength, never
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.probes.interventions.connections import RedirectEngine

NAME = "engine-differs-by-process"


@dataclass(frozen=True, slots=True)
class About:
    """The URL of the engine, the URL of the same line's engine in another process, and the class of the pool."""

    url: str
    to: str
    pool: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak through an engine of the tests: which database did the same line use in another process?"""
    for leak in case.leaks:
        other = in_another_process(case, leak)
        made = first(case.evidence.chain(leak.engine)) if leak.engine is not None else None
        if leak.engine is None or made is None or other is None:
            continue
        yield of_leak(
            case,
            leak,
            NAME,
            f"{leak.database.name} answered {within(leak.tests)}: {made.file}:{made.line} makes its engine, "
            f"and one of {other.url} in another process of the same run (such as a worker of pytest-xdist). What that "
            "line depends on differs between the two.",
            made,
            About(leak.engine.url, other.url, leak.engine.pool),
            (fact(case.evidence, other, f"engine made in another process ({other.url})"),),
        )


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Redirect the engine to the database of the same line in another process; not for a driver's own pool."""
    if "." in finding.about.pool or finding.file is None or finding.line is None:
        return
    led = RedirectEngine(((finding.file, finding.line),), of=finding.about.url, to=finding.about.to)
    label = f"with the engine of {finding.where} redirected to its database in another process"
    yield Candidate(finding, label, (led,), advice(finding))


def advice(finding: Finding[About]) -> str:
    """Give every worker a test database."""
    return (
        f"At {finding.where} give every worker a database of the tests: derive its name from what each worker has "
        "(PYTEST_XDIST_WORKER, the fixture worker_id), without a fallback to another database."
    )


KIND = Kind(
    NAME,
    "A line that uses another database in one worker",
    Explanation(
        what="The same line of the tests makes an engine of the test database in one process, and of another database "
        "in another.",
        comes_about="Under pytest-xdist each worker is a process of its own: what a fixture depends on (a lock, a "
        "variable, a first run) does not exist in each.",
        example="""
        # set by the first worker alone
        url = os.environ.get("TEST_DATABASE_URL", DATABASE_URL)
        """,
        proved="A re-run redirects that engine to the database of the same line in the other process.",
        to_do="Derive the database's name from what each worker has (PYTEST_XDIST_WORKER, worker_id).",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    never,
)
