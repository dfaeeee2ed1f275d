"""Do the tests have a database of their own at all?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.findings.case import Case, Leak, is_test_file, reach_facts
from kit.findings.model import Finding
from kit.findings.reach import Reach
from kit.findings.sources import source_of, writer

_BY_TESTS = ("fixture", "set-up", "test", "teardown", "import")


def ask(case: Case) -> Iterator[Finding]:
    """Where nothing but leaks was reached: which line of the tests writes there, and where does the URL come from?"""
    if not case.leaks or case.allowed.patterns is None:
        return
    wrong = {leak.database.id for leak in case.leaks}
    if any(reach.database.id not in wrong for reach in case.reached) or case.evidence.overrides:
        return
    for leak in sorted(case.leaks, key=_harm)[:1]:
        reach = leak.first
        frame = next((frame for frame in (*reach.used, *reach.chain) if is_test_file(frame.file)), None)
        if frame is None or reach.how not in _BY_TESTS:
            continue
        yield Finding(
            "no-separate-test-db",
            f"{frame.file}:{frame.line} {'writes to' if _writes(leak) else 'uses'} {leak.database.name}, "
            f"{_from(case, reach)}; no test has a database of its own, and nothing marks this one as such.",
            frame.file, frame.line, reach_facts(case, leak), (leak.database.id,), leak.tests,
            (("variable", source_of(case.evidence, reach.engine).variable or "" if reach.engine else ""),),
        )


def _harm(leak: Leak) -> tuple[bool, bool]:
    """The most harmful first: what the tests themselves write, before each test rather than in one."""
    return leak.first.how not in _BY_TESTS or not _writes(leak), leak.first.how == "test"


def _writes(leak: Leak) -> bool:
    return any(reach.writes for reach in leak.reaches)


def _from(case: Case, reach: Reach) -> str:
    if reach.engine is None:
        return "opened there"
    source = source_of(case.evidence, reach.engine)
    if source.variable is None or source.written is None:
        return f"the application's own URL ({reach.engine.url})"
    return f"the URL of {source.variable}, from {writer(case.evidence, source.written)}"
