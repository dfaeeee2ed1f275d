"""Which code opened a database without using the override that was meant to replace it?"""

from __future__ import annotations

from kit.analysis.case import Case, Leak, within
from kit.analysis.reach import in_middleware
from kit.evidence.model import Frame


def overridden(case: Case, leak: Leak) -> bool:
    """Whether an override was in effect in the test that this code did not use."""
    return any(
        change.op != "removed"
        and change.process == leak.first.entry.process
        and change.test in (None, leak.first.test)
        and change.at_s <= leak.first.entry.at_s
        for change in case.evidence.overrides
    )


def opened_by(case: Case, leak: Leak, by: str) -> str:
    """The message for a leak that was opened `by` such code."""
    return (
        f"{case.request_of(leak) or leak.first.phase}: {leak.database.name} was opened by {by}: "
        f"{case.stack_text(leak.first.chain[:4])}, {within(leak.tests)}."
    )


def bypassing_line(case: Case, leak: Leak) -> Frame | None:
    """The line that opened the database or, if that line also opens allowed sessions, its caller.

    For a middleware with an engine of its own, it is the line that makes the engine.
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
    """The files of overridden dependencies: a caller that calls them directly bypasses the overrides."""
    keys = {change.key for change in case.evidence.overrides}
    return {known.file for known in case.evidence.callables if known.callable in keys and known.file is not None}
