"""working-directory-changed: a relative path leads to another file because the working directory was changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, describe_tests, of_leak
from kit.analysis.model import Finding, fact, first
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import proposed_by, without_statement
from kit.evidence.model import Folder
from kit.probes.interventions.tests import RestoreFolder
from kit.probes.places import place

NAME = "working-directory-changed"


@dataclass(frozen=True, slots=True)
class About:
    """The relative path, and the test that changed the directory; "" when it was changed outside the tests."""

    path: str
    test: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak through a relative path: which earlier change of the directory was not made for this test?"""
    for leak in case.leaks:
        path, changed = _relative_path(leak), _changed(case, leak)
        if path is None or changed is None or changed.test in leak.tests:
            continue
        at = first(case.evidence.chain(changed))
        by = f" in {changed.test}" if changed.test is not None else ""
        yield of_leak(
            case,
            leak,
            NAME,
            f"{path} is a relative path. {at or 'The program'} changed the working directory to {changed.path}{by} and "
            f"did not restore it: {leak.database.name} answered in {describe_tests(leak.tests) or leak.first.phase}.",
            at,
            About(path, changed.test or ""),
            (fact(case.evidence, changed, f"working directory changed to {changed.path}"),),
        )


def _relative_path(leak: Leak) -> str | None:
    """The path of a SQLite file as the program names it, if it is relative to the working directory."""
    if leak.database.path is None:
        return None
    named = place(leak.engine.url) if leak.engine is not None else None
    path = named[3].removeprefix("/") if named is not None else leak.first.connection.configured
    return path if path and not os.path.isabs(path) and not path.startswith("file:") else None


def _changed(case: Case, leak: Leak) -> Folder | None:
    """The last change of the working directory before the leak that its test, or other code, did not undo."""
    own: dict[str | None, list[Folder]] = {}
    for event in case.evidence.folders:
        if event.process == leak.first.entry.process and event.at_s <= leak.first.connection.at_s:
            own.setdefault(event.test, []).append(event)
    lasting = [events[-1] for events in own.values() if events[0].before != events[-1].path]
    return max(lasting, key=lambda event: event.at_s, default=None)


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Restore the directory after each test, or leave out the statement if no test runs it."""
    if not finding.about.test:
        yield from without_statement(finding, context, advice(finding))
        return
    yield proposed_by(finding, RestoreFolder(), advice(finding))


def advice(finding: Finding[About]) -> str:
    """Restore the directory, or use an absolute path."""
    return (
        f"At {finding.where} restore the working directory (monkeypatch.chdir does), or make {finding.about.path} an "
        "absolute path, from the folder of the module that opens it (Path(__file__))."
    )


KIND = Kind(
    NAME,
    "A working directory that a test changes and does not restore",
    Explanation(
        what="The application opens a relative path in another working directory than it was written for.",
        comes_about="A test or conftest.py calls os.chdir and does not change back: `sqlite:///app.db` is then "
        "another file.",
        example="""
        def test_export(tmp_path):
            os.chdir(tmp_path)                 # and not monkeypatch.chdir
        """,
        proved="A re-run that restores the working directory after each test.",
        to_do="Use monkeypatch.chdir, and name database files by absolute paths.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
