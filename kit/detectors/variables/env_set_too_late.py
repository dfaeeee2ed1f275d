"""env-set-too-late: the tests set a variable after the engine was made, or after the variable was read."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Finding, fact, first
from kit.analysis.url_source import url_source_of, writer
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import set_in_time
from kit.detectors.variables.written_late import (
    LateAbout,
    Made,
    asked_for,
    changed,
    collected_by_another,
    made_for,
    written_late,
)
from kit.evidence.model import Variable

NAME = "env-set-too-late"


def detect(case: Case) -> Iterator[Finding[LateAbout]]:
    """For each leak: did the tests set a variable after its engine was made, or after its value was kept?"""
    for leak in case.leaks:
        late = written_late(case, leak)
        if late is not None and collected_by_another(case, leak) is None:
            yield _finding(case, leak, made_for(leak), late)


def _finding(case: Case, leak: Leak, made: Made, late: Variable) -> Finding[LateAbout]:
    early = late.at_s < made.at_s
    message = _kept_message(case, leak, made, late) if early else _made_before(case, leak, made, late)
    return of_leak(
        case,
        leak,
        NAME,
        message,
        first(case.evidence.chain(late)),
        LateAbout(late.name, late.value or "", made.url, "", made.kept_by if early else ""),
        (
            fact(case.evidence, made.entry, f"{made.what} made ({made.url})"),
            fact(case.evidence, late, f"{late.name} {late.op}"),
        ),
    )


def _kept_message(case: Case, leak: Leak, made: Made, late: Variable) -> str:
    """The message for a value that was read before the variable was set, and kept until the engine was made."""
    evidence = case.evidence
    asked = next(
        event
        for event in reversed(asked_for(case, leak, (*evidence.modes, *evidence.variables)))
        if event.name == late.name and event.at_s < late.at_s
    )
    then = "it was not set then" if asked.op == "missing" else "it held the old value then"
    by = f" by {made.kept_by}" if made.kept_by else ""
    reader = f" in {asked.test}" if asked.test is not None and asked.test not in leak.tests else ""
    chain = evidence.chain(made.entry)
    return (
        f"{changed(late)} changed at {writer(evidence, late)} AFTER it had been read at "
        f"{case.stack_text(evidence.chain(asked)[:4])}{reader} ({then}), and the result was kept{by}: the {made.what} "
        f"made at {f'{chain[0].file}:{chain[0].line}' if chain else '?'} got {made.url}."
    )


def _made_before(case: Case, leak: Leak, made: Made, late: Variable) -> str:
    """The message for an engine that was made before the variable was set."""
    evidence, chain = case.evidence, case.evidence.chain(made.entry)
    importer = next((frame for frame in chain if case.of_tests(frame.file)), None)
    imported = f", imported at {importer.file}:{importer.line}" if importer is not None else ""
    by_variable = url_source_of(evidence, leak.first).kind == "variable"
    old = "its old value" if by_variable else "the default that was used instead"
    made_where = f"{chain[0].file}:{chain[0].line}" if chain else "?"
    return (
        f"{changed(late)} changed at {writer(evidence, late)} AFTER {made.what} {made.url} was created from {old} "
        f"({made_where}{imported}{_other_test(leak, made)}). The change has no effect: {leak.database.name} answered "
        f"{within(leak.tests)}."
    )


def _other_test(leak: Leak, made: Made) -> str:
    """A clause on the other test in which the engine was made, and the name that kept it; "" if there is none."""
    test = made.entry.test
    kept = f", kept by {made.kept_by}" if made.kept_by else ""
    return f", in {test}{kept}" if test is not None and test not in leak.tests else ""


def interventions(finding: Finding[LateAbout], context: Context) -> Iterator[Candidate]:
    """Set the variable before anything is imported."""
    about = finding.about
    # A result kept by a function's cache, as in `app.settings.get_settings().url`, can be cleared.
    cache = about.kept_by.partition("()")[0] if "()" in about.kept_by else ""
    yield set_in_time(finding, context, about.variable, about.value, about.url, advice(finding), cache)


def advice(finding: Finding[LateAbout]) -> str:
    """Set the variable earlier, or read it later."""
    return (
        f"Set {finding.about.variable} before the application is imported: at the top of conftest.py, or in the "
        "environment of the command; or let the application read it on each use, and the tests clear what it has kept "
        "(cache_clear, dispose)."
    )


KIND = Kind(
    NAME,
    "A variable set too late",
    Explanation(
        what="The tests set the variable that names the database after the engine was made, or after its value was "
        "read and kept.",
        comes_about="The application's module makes its engine at import, or caches its settings, and a fixture or a "
        "test sets the variable afterwards.",
        example="""
        from app.main import app               # makes the engine

        def test_sites(monkeypatch):
            monkeypatch.setenv("DATABASE_URL", TEST_URL)   # too late
        """,
        proved="A re-run with the variable set before anything is imported.",
        to_do="Set it at the top of conftest.py, before the application is imported.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="{where} sets {variable} only after the application has read it",
)
