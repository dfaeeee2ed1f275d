"""engine-not-replaced: nothing in the tests replaces an engine or connection of the application's own."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, Leak, describe_tests, of_leak
from kit.analysis.model import Finding, Nothing, first
from kit.analysis.opened_by_tests import by_tests
from kit.analysis.url_source_text import describe_url_source
from kit.detectors.kind import Explanation, Kind, Strength, Without, never
from kit.evidence.model import Frame

NAME = "engine-not-replaced"


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each leak that the tests did not open: which application line made its engine or opened its connection?"""
    for leak in case.leaks:
        at = _maker(case, leak)
        if at is not None and not by_tests(case, leak):
            yield of_leak(case, leak, NAME, _message(case, leak), at, Nothing())


def _message(case: Case, leak: Leak) -> str:
    what = "an engine" if leak.engine is not None else "a connection"
    chain = case.evidence.chain(leak.engine) if leak.engine is not None else leak.first.chain
    return (
        f"{leak.database.name} was reached by {case.stack_text(leak.first.chain[:4])} ({leak.first.how}) in "
        f"{describe_tests(leak.tests)}, through {what} of the application's own ({case.stack_text(chain[:4])}): "
        f"{describe_url_source(case.evidence, leak.first)}.{_kept_clause(case, leak)}"
    )


def _kept_clause(case: Case, leak: Leak) -> str:
    """A clause about the other test that made the engine and the name that kept it; "" if it was not kept."""
    engine = leak.engine
    if engine is None or engine.test is None or set(leak.tests) <= {engine.test}:
        return ""
    names = case.evidence.names
    holder = next((event for event in names if event.holds and event.holds.engine == engine.engine), None)
    by = f" by {holder.module}.{holder.name}" if holder is not None else ""
    return f" It was made in {engine.test}, and kept{by} for the tests after it, whatever they change."


def _maker(case: Case, leak: Leak) -> Frame | None:
    """The application's line that made the engine or, without an engine, opened the connection."""
    made = first(case.evidence.chain(leak.engine)) if leak.engine is not None else leak.opener
    return made if made is not None and not case.of_tests(made.file) else None


def advice(finding: Finding[Nothing]) -> str:
    """Make the engine replaceable by the tests."""
    return (
        "Let the application get it from something that tests can set or override (a setting that they write before "
        f"it is imported, a dependency, app.state), instead of making it at {finding.where}."
    )


KIND = Kind(
    NAME,
    "An engine that nothing replaces",
    Explanation(
        what="The application made an engine or a connection of its own, and nothing in the tests replaces it.",
        comes_about="The URL is a literal in the code, or the engine was made in an earlier test and is kept.",
        example="""
        engine = create_engine("sqlite:////srv/app/prod.db")   # in the application, and no setting decides it
        """,
        proved="A re-run redirects that engine, which is tried for every leak. The cause stays unproved if something "
        "may be meant to redirect it (a patch in the tests, a variable that is read but not set), or if another "
        "process than the tests' has the engine.",
        to_do="Let the application take its engine from something that tests can set or override.",
    ),
    Strength.UNREPLACED,
    detect,
    Without("re-runs try it for every leak: the engine, or the connection, redirected"),
    advice,
    never,
    because="{where} makes its own engine",
)
