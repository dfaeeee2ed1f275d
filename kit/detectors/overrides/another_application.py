"""Shared by the kinds about an override on one application while another one served the request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Finding, fact, first
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import override_applied
from kit.evidence.model import Dependencies, Evidence, Override


@dataclass(frozen=True, slots=True)
class AppAbout:
    """The overridden dependency, and a description of the application that the override was set on."""

    key: str
    made: str


def override_on_other_app(case: Case, kind: str, *, consulted: bool) -> Iterator[Finding[AppAbout]]:
    """Findings on overrides that are set on an application which did not serve a leak's request.

    `consulted` selects requests for which overrides of some application were looked up, or those for which none were.
    """
    for leak in case.leaks:
        if leak.first.how != "dependency" or leak.first.dependency is None:
            continue
        solved = _solved_dependencies(case, leak)
        elsewhere = _override_elsewhere(case, leak, solved)
        if elsewhere is None or (solved is None or solved.consulted) is not consulted:
            continue
        name = leak.first.dependency.name
        yield of_leak(
            case,
            leak,
            kind,
            _message(case, leak, elsewhere, solved),
            first(case.evidence.chain(elsewhere)),
            AppAbout(name, describe_app(case.evidence, elsewhere.app)),
            (fact(case.evidence, elsewhere, f"override of {name} set"),),
        )


def applied_everywhere(finding: Finding[AppAbout], context: Context, fix: str) -> Iterator[Candidate]:
    """Apply the override in every application."""
    key = finding.about.key
    yield override_applied(finding, key, key, f"with the override of {key} applied in every application", fix)


def describe_app(evidence: Evidence, app: str | None) -> str:
    """An application, identified by the line that made it."""
    made = next((known for known in evidence.apps if known.app == app), None)
    frame = first(evidence.chain(made)) if made is not None else None
    return f"app {app} (made at {frame.file}:{frame.line})" if frame is not None else f"app {app}"


def _solved_dependencies(case: Case, leak: Leak) -> Dependencies | None:
    assert leak.first.dependency is not None
    wanted = leak.first.dependency.callable
    return next(
        (
            event
            for event in case.evidence.dependencies
            if event.request == leak.first.entry.request
            and any(declared == wanted for declared, _ in event.supplied_by)
        ),
        None,
    )


def _override_elsewhere(case: Case, leak: Leak, solved: Dependencies | None) -> Override | None:
    assert leak.first.dependency is not None
    serving = solved.provider if solved is not None else None
    standing: dict[str | None, Override] = {}
    for change in case.evidence.overrides:
        if change.key != leak.first.dependency.callable or change.at_s > leak.first.entry.at_s:
            continue
        if change.process != leak.first.entry.process:
            continue
        standing[change.app] = change
    return next((change for app, change in standing.items() if change.op != "removed" and app != serving), None)


def _message(case: Case, leak: Leak, override: Override, solved: Dependencies | None) -> str:
    assert leak.first.dependency is not None
    evidence, name = case.evidence, leak.first.dependency.name
    said = f"override of {name} set on {describe_app(evidence, override.app)}; {case.request_of(leak)} was served by "
    if solved is not None and not solved.consulted:
        return said + "a route that belongs to no application, so that overrides are never looked up for it."
    serving = solved.provider if solved is not None else None
    mounted = _mounted(case, leak)
    return (
        f"{said}{describe_app(evidence, serving)}{mounted}, whose dependency_overrides does not hold it: "
        f"{leak.database.name} answered {within(leak.tests)}."
    )


def _mounted(case: Case, leak: Leak) -> str:
    request = next((known for known in case.evidence.requests if known.number == leak.first.entry.request), None)
    return ", which is mounted in another" if request is not None and request.within is not None else ""
