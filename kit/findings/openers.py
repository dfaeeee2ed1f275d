"""Who opened a database past the override that was there to stand in for it?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.evidence import Evidence, Frame
from kit.findings.case import Case, Leak, named, reach_facts, within
from kit.findings.model import Finding
from kit.findings.reach import called_directly, dependencies_of, in_middleware


def ask(case: Case) -> Iterator[Finding]:
    """For each leak that no dependency supplied, and that a running application opened: which line opened it?"""
    for leak in case.leaks:
        if leak.first.how == "background task":
            yield _background(case, leak)
        elif leak.first.how == "lifespan":
            yield _lifespan(case, leak)
        elif leak.first.how == "called directly":
            yield _called(case, leak)
        elif leak.first.how == "middleware":
            yield _passed(case, leak, "middleware-session", "a middleware, which no override reaches")
        elif leak.first.how == "past the dependencies":
            yield _passed(case, leak, "session-past-dependencies", "code that did not get it from a dependency")
        elif leak.first.how == "thread":
            yield _passed(case, leak, "thread-session", f"thread {leak.first.entry.thread}, which no override reaches")


def _background(case: Case, leak: Leak) -> Finding:
    task = leak.first.chain[-1] if leak.first.chain else None
    other = _by_dependency(case, leak)
    return _finding(
        case,
        leak,
        "background-task-session",
        f"{case.served(leak)}: {other}1 session opened by background task {_function(task)} ({leak.opener}) -> "
        f"{leak.database.name}. No override reaches a background task.",
        leak.opener,
        (("function", _function(task)),),
    )


def _lifespan(case: Case, leak: Leak) -> Finding:
    return _finding(
        case,
        leak,
        "lifespan-engine",
        f"{leak.database.name} was opened by the lifespan of the application ({leak.opener}), where no override is "
        f"looked up: {case.leads(leak.first.chain)}.",
        leak.opener,
        (("lifespan", "yes"),),
    )


def _called(case: Case, leak: Leak) -> Finding:
    dependency, caller = _direct_call(case.evidence, leak.first.chain)
    standing = _standing(case, leak, dependency)
    at = caller or leak.opener
    return _finding(
        case,
        leak,
        "dependency-called-directly",
        f"{case.served(leak)} opened a connection to {leak.database.name} outside dependency injection: "
        f"{case.leads(leak.first.chain[:3])}. {standing}",
        at,
        (("callable", dependency),),
    )


def _passed(case: Case, leak: Leak, kind: str, by: str) -> Finding:
    return _finding(
        case,
        leak,
        kind,
        f"{case.served(leak) or leak.first.phase}: {leak.database.name} was opened by {by}: "
        f"{case.leads(leak.first.chain[:4])}, {within(leak.tests)}.",
        culprit(case, leak),
        (("overridden", "yes"),) if overridden(case, leak) else (),
    )


def overridden(case: Case, leak: Leak) -> bool:
    """Tell whether an override stood in the test, which this went past."""
    return any(
        change.op != "removed"
        and change.process == leak.first.entry.process
        and change.test in (None, leak.first.test)
        and change.at_s <= leak.first.entry.at_s
        for change in case.evidence.overrides
    )


def culprit(case: Case, leak: Leak) -> Frame | None:
    """The line that went astray: the opener's own, or, where that opens sessions rightly too, who called there.

    Of a middleware that has an engine to itself, it is the line that makes that.
    """
    made = case.evidence.chain(leak.engine)[:1] if leak.engine is not None else ()
    if leak.first.how == "middleware" and made and in_middleware(case.evidence, made):
        return made[0]
    replaced = _of_overridden(case)
    rightly = {
        (reach.opener.file, reach.opener.line)
        for reach in case.reached
        if reach.opener is not None
        and case.allowed.judge(reach.database) is not False
        and reach.database.id != leak.database.id
    }
    callers = [
        frame
        for frame in leak.first.chain
        if frame.file not in replaced and (frame.file, frame.line) not in rightly
    ]
    caller = callers[0] if callers and not case.of_tests(callers[0].file) else None
    return caller or leak.opener


def _of_overridden(case: Case) -> set[str]:
    """The files of the dependencies that are overridden: what calls there for itself is what goes past them."""
    keys = {change.key for change in case.evidence.overrides}
    return {known.file for known in case.evidence.callables if known.callable in keys and known.file is not None}


def _finding(
    case: Case,
    leak: Leak,
    kind: str,
    message: str,
    at: Frame | None,
    about: tuple[tuple[str, str], ...],
) -> Finding:
    return Finding(
        kind,
        message,
        at.file if at else None,
        at.line if at else None,
        reach_facts(case, leak),
        (leak.database.id,),
        leak.tests,
        about,
    )


def _by_dependency(case: Case, leak: Leak) -> str:
    """What the same request got through its dependencies."""
    found = [
        reach
        for reach in case.reached
        if reach.entry.request == leak.first.entry.request and reach.dependency is not None
    ]
    if not found:
        return ""
    reach = found[0]
    way = " (override)" if reach.override is not None else ""
    name = reach.dependency.name.rpartition(".")[2] if reach.dependency is not None else ""
    return f"1 session via {name} -> {reach.database.name}{way}, "


def _direct_call(evidence: Evidence, chain: tuple[Frame, ...]) -> tuple[str, Frame | None]:
    """The dependency on the chain that was called, and the frame that called it."""
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
        return f"The override for {short} was applied {applied}x in this request, this call bypassed it."
    return f"An override for {short} cannot reach this call."


def _function(frame: Frame | None) -> str:
    return "?" if frame is None else named(frame).removesuffix("()")
