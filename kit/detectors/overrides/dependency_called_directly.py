"""dependency-called-directly: the application's own code calls a dependency, so no override applies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak
from kit.analysis.model import Finding
from kit.analysis.reach import called_directly, dependencies_of
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import proposed_by
from kit.evidence.model import Evidence, Frame
from kit.probes.interventions.overrides import RedirectCall

NAME = "dependency-called-directly"


@dataclass(frozen=True, slots=True)
class About:
    """The dependency that was called, as module.name; "" if unknown."""

    callable: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak by a direct call: which dependency was called, and on which line?"""
    for leak in case.leaks:
        if leak.first.how == KIND.route:
            yield _finding(case, leak)


def _finding(case: Case, leak: Leak) -> Finding[About]:
    dependency, caller = _direct_call(case.evidence, leak.first.chain)
    return of_leak(
        case,
        leak,
        NAME,
        f"{case.request_of(leak)} opened a connection to {leak.database.name} outside dependency injection: "
        f"{case.stack_text(leak.first.chain[:3])}. {_standing(case, leak, dependency)}",
        caller or leak.opener,
        About(dependency),
    )


def _direct_call(evidence: Evidence, chain: tuple[Frame, ...]) -> tuple[str, Frame | None]:
    """The dependency on the stack that was called directly, and the frame that called it."""
    for known in dependencies_of(evidence):
        caller = called_directly(known, chain)
        if caller is not None:
            return known.name, caller
    return "", None


def _standing(case: Case, leak: Leak, dependency: str) -> str:
    short = dependency.rpartition(".")[2]
    ids = {known.callable for known in case.evidence.callables if known.name == dependency}
    applied = sum(
        1
        for event in case.evidence.dependencies
        if event.request == leak.first.entry.request
        for declared, by in event.supplied_by
        if declared in ids and by is not None
    )
    if applied:
        return f"The override of {short} was applied {applied}x in this request; this call bypassed it."
    return f"An override of {short} has no effect on this call."


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Redirect plain calls of the dependency to its override."""
    name = finding.about.callable
    if name:
        yield proposed_by(finding, RedirectCall(name), advice(finding))


def advice(finding: Finding[About]) -> str:
    """Take the dependency's value as a parameter."""
    name = finding.about.callable
    return (
        f"At {finding.where} do not call {name}: take its value as a parameter of the endpoint, Depends({name}), and "
        "pass it down."
    )


KIND = Kind(
    NAME,
    "A dependency called as a plain function",
    Explanation(
        what="The application's own code calls a dependency itself, instead of letting FastAPI supply it.",
        comes_about="An override is looked up only where FastAPI solves Depends(...). A service that calls get_db() "
        "gets the application's own session, whatever the tests override.",
        example="""
        def audit(message):
            with closing(next(get_db())) as db:    # no override reaches this call
                db.add(Entry(message))
        """,
        proved="A re-run redirects plain calls of the dependency to its override.",
        to_do="Take the session as a parameter of the endpoint and pass it down.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    route="direct call",
)
