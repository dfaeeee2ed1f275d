"""Was an override set on one application, while another one served the request?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.evidence import Dependencies, Evidence, Override
from kit.findings.case import Case, Leak, reach_facts, within
from kit.findings.model import Finding, fact, first


def ask(case: Case) -> Iterator[Finding]:
    """For each leak through a dependency: is there an override of it, on an application that was not asked?"""
    for leak in case.leaks:
        if leak.first.how != "dependency" or leak.first.dependency is None:
            continue
        solved = _solved(case, leak)
        elsewhere = _override_elsewhere(case, leak, solved)
        if elsewhere is None:
            continue
        set_at = first(case.evidence.chain(elsewhere))
        kind = "override-on-wrong-app" if solved is None or solved.consulted else "route-without-provider"
        yield Finding(
            kind,
            _message(case, leak, elsewhere, solved),
            set_at.file if set_at else None,
            set_at.line if set_at else None,
            (fact(case.evidence, elsewhere, f"override of {leak.first.dependency.name} set"), *reach_facts(case, leak)),
            (leak.database.id,),
            leak.tests,
            (
                ("key", leak.first.dependency.name),
                ("to", leak.first.dependency.name),
                ("provider", "" if solved is None or solved.consulted else "none"),
                ("made", app_said(case.evidence, elsewhere.app)),
            ),
        )


def app_said(evidence: Evidence, app: str | None) -> str:
    """An application, told apart by the place where it was made."""
    made = next((known for known in evidence.apps if known.app == app), None)
    frame = first(evidence.chain(made)) if made is not None else None
    return f"app {app} (made at {frame.file}:{frame.line})" if frame is not None else f"app {app}"


def _solved(case: Case, leak: Leak) -> Dependencies | None:
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
    said = f"override of {name} set on {app_said(evidence, override.app)}; {case.served(leak)} was served by "
    if solved is not None and not solved.consulted:
        return said + "a route that belongs to no application, so that overrides are never looked up for it."
    serving = solved.provider if solved is not None else None
    mounted = _mounted(case, leak)
    return (
        f"{said}{app_said(evidence, serving)}{mounted}, whose dependency_overrides does not hold it: "
        f"{leak.database.name} answered {within(leak.tests)}."
    )


def _mounted(case: Case, leak: Leak) -> str:
    request = next((known for known in case.evidence.requests if known.number == leak.first.entry.request), None)
    return ", which is mounted in another" if request is not None and request.within is not None else ""
