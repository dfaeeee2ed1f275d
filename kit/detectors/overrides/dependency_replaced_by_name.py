"""dependency-replaced-by-name: a test replaces a dependency in its module, where FastAPI does not look it up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.files_of_tests import files_of
from kit.analysis.model import Finding
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import proposed_by
from kit.evidence.model import Callable
from kit.probes.interventions.overrides import FollowName

NAME = "dependency-replaced-by-name"
_MOCKS = ("unittest.mock.", "mock.")


@dataclass(frozen=True, slots=True)
class About:
    """The dependency, as module.name."""

    callable: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak through a dependency: had the tests replaced its name before the request?"""
    for leak in case.leaks:
        dependency = leak.first.dependency
        instead = _replacement(case, leak) if dependency is not None and leak.first.override is None else None
        if dependency is None or instead is None:
            continue
        short = dependency.name.rpartition(".")[2]
        yield of_leak(
            case,
            leak,
            NAME,
            f"{case.request_of(leak)} got its session from {dependency.name} ({leak.opener}), though "
            f"{within(leak.tests)} that name was replaced by {instead.name}: Depends({short}) holds the original "
            "function, and does not look the name up.",
            leak.opener,
            About(dependency.name),
        )


def _replacement(case: Case, leak: Leak) -> Callable | None:
    """The tests' replacement of the dependency's name when the request of a leak was served."""
    known = {one.callable: one for one in case.evidence.callables}
    dependency = leak.first.dependency
    for event in case.evidence.dependencies:
        if event.request is None or event.request != leak.first.entry.request:
            continue
        for declared, other in event.passed_over:
            mine = dependency is not None and declared == dependency.callable
            if mine and other in known and _is_of_tests(case, known[other]):
                return known[other]
    return None


def _is_of_tests(case: Case, other: Callable) -> bool:
    """Whether it is a mock or defined in a test file, rather than a second definition in the application."""
    return other.name.startswith(_MOCKS) or (other.file is not None and case.of_tests(other.file))


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Look the dependency up by its name; what is to be changed is the line of the tests that replaces it."""
    found = proposed_by(finding, FollowName(finding.about.callable), advice(finding))
    at = _line_that_replaces(finding, context)
    if at is None:
        yield found
        return
    name = finding.about.callable
    yield replace(found, at=at, fix=advice(finding).replace(f"the name {name}", f"the name {name} ({at[0]}:{at[1]})"))


def _line_that_replaces(finding: Finding[About], context: Context) -> tuple[str, int] | None:
    """Where the text of the tests replaces the name: patch("module.name"), patch.object(module, "name") or the like."""
    short = re.escape(finding.about.callable.rpartition(".")[2])
    written = re.compile(rf"^[^#\n]*(?:\bpatch|\bsetattr)\b[^#\n]*[\"'](?:[\w.]+\.)?{short}[\"']", re.MULTILINE)
    for file in files_of(finding.tests):
        text = context.text_of(file) or ""
        found = written.search(text)
        if found is not None:
            return file, text.count("\n", 0, found.start()) + 1
    return None


def advice(finding: Finding[About]) -> str:
    """Override the dependency."""
    name = finding.about.callable
    return (
        f"Instead of replacing the name {name}, set app.dependency_overrides[{name.rpartition('.')[2]}] to a function "
        "that returns what the tests need, and remove it afterwards."
    )


KIND = Kind(
    NAME,
    "A dependency that the tests replace by its name",
    Explanation(
        what="The tests replace the name of a dependency in its module, and FastAPI still calls the original function.",
        comes_about="Depends(get_db) takes the function when the route is defined. patch and monkeypatch.setattr "
        "change the name in the module, which FastAPI does not look up again.",
        example="""
        @app.get("/")
        def read(db=Depends(get_db)): ...          # has the function from here on

        with patch("app.get_db") as fake:          # changes the name alone
            TestClient(app).get("/")
        """,
        proved="A re-run looks the dependency up by its name: what the tests put there is used, be it a mock, and the "
        "tests pass with it.",
        to_do="Use app.dependency_overrides.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="{where} replaces a dependency by its name, which FastAPI does not look up again",
)
