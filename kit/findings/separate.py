"""Do the tests have a database of their own at all?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.findings.case import Case, Leak, is_test_file, reach_facts
from kit.findings.model import Finding
from kit.findings.reach import IN_TESTS, Reach
from kit.findings.sources import source_of, writer

_BY_TESTS = (*IN_TESTS, "import")


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
            f"{frame.file}:{frame.line} {_done(leak)} {leak.database.name}, "
            f"{_from(case, reach)}; no test has a database of its own, and nothing marks this one as such.",
            frame.file,
            frame.line,
            reach_facts(case, leak),
            (leak.database.id,),
            leak.tests,
            tuple(_about(case, reach)),
        )


def _harm(leak: Leak) -> tuple[bool, bool]:
    """The most harmful first: what the tests themselves write, before each test rather than in one."""
    return leak.first.how not in _BY_TESTS or not _writes(leak), leak.first.how == "test"


def _done(leak: Leak) -> str:
    """What the tests do there, by the first statement that writes."""
    use = next((reach.entry for reach in leak.reaches if reach.writes), None)
    verb, tables = getattr(use, "verb", ""), getattr(use, "tables", ())
    if use is None or not verb:
        return "uses"
    return f"writes to ({verb} {', '.join(tables)})" if tables else f"writes to ({verb})"


def _writes(leak: Leak) -> bool:
    return any(reach.writes for reach in leak.reaches)


def _about(case: Case, reach: Reach) -> Iterator[tuple[str, str]]:
    if reach.engine is None:
        return
    name = source_of(case.evidence, reach.engine).variable or (reach.engine.files[0][2] if reach.engine.files else None)
    if name is None:
        name = next((event.name for event in case.evidence.variables if event.op == "missing"), None)
    yield "variable", name or ""
    yield "url", reach.engine.url


def _from(case: Case, reach: Reach) -> str:
    if reach.engine is None:
        return "opened there"
    source = source_of(case.evidence, reach.engine)
    if source.variable is None and reach.engine.files:
        file, line, name = reach.engine.files[0]
        return f"the URL of {name}, taken from {file}:{line}"
    if source.variable is None or source.written is None:
        return f"the application's own URL ({reach.engine.url})"
    return f"the URL of {source.variable}, from {writer(case.evidence, source.written)}"
