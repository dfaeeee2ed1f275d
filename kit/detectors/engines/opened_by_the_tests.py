"""opened-by-the-tests: test code names a database and opens it."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, Leak, reach_facts, within
from kit.analysis.model import Finding, Nothing
from kit.analysis.opened_by_tests import made_by_tests
from kit.analysis.other_processes import in_another_process
from kit.analysis.url_source import url_source_of
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.evidence.model import Frame

NAME = "opened-by-the-tests"


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each line of the tests that names such a database: which one did it open, and in which tests?"""
    pool: dict[tuple[Frame, str], list[Leak]] = {}
    for leak in case.leaks:
        at = made_by_tests(case, leak)
        if at is None or _named_from_outside(case, leak):
            continue
        if in_another_process(case, leak) is None:  # otherwise engine-differs-by-process reports it
            pool.setdefault((at, leak.database.id), []).append(leak)
    for (at, identity), leaks in pool.items():
        tests = tuple(dict.fromkeys(test for leak in leaks for test in leak.tests))
        yield Finding(
            NAME,
            f"{at.file}:{at.line} opens {leaks[0].database.name} from test code, {within(tests)}.",
            at.file,
            at.line,
            Nothing(),
            tuple(fact for leak in leaks for fact in reach_facts(case, leak)),
            (identity,),
            tests,
        )


def _named_from_outside(case: Case, leak: Leak) -> bool:
    """Whether the tests only opened the database of a variable that the command inherited."""
    written = url_source_of(case.evidence, leak.first).written
    return written is not None and written.op == "inherited"


def interventions(finding: Finding[Nothing], context: Context) -> Iterator[Candidate]:
    """Redirect the line's connections to an allowed database. The test that shows the leak still runs."""
    leaks = context.leaks_of(finding)
    if leaks and finding.file and finding.line:
        led = context.redirect_engines(leaks[0], ((finding.file, finding.line),))
        yield Candidate(finding, f"with the connections of {finding.where} redirected", (led,), advice(finding))


def advice(finding: Finding[Nothing]) -> str:
    """Decide whether the connection is intended."""
    return (
        "If that is meant, run these tests apart from the others and allow the database there; if not, name the test "
        f"database at {finding.where}."
    )


KIND = Kind(
    NAME,
    "A database opened by test code",
    Explanation(
        what="A line of test code names the database and opens it.",
        comes_about="A fixture or a test makes an engine or a connection with a URL of its own, which is not that of "
        "the test database.",
        example="""
        @pytest.fixture
        def rows():
            with sqlite3.connect("prod.db") as connection:   # named by the test itself
                yield connection
        """,
        proved="A re-run in which the connection of that line is redirected to a database of the tests.",
        to_do="Name the test database there; if it is meant, run these tests apart and allow the database.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="{where} opens it by itself",
)
