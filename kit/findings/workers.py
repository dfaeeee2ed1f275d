"""Does one line of the tests lead to the right database in one process, and to a wrong one in another?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.evidence import Engine
from kit.findings.case import Case, Leak, reach_facts, within
from kit.findings.model import Finding, fact, first


def ask(case: Case) -> Iterator[Finding]:
    """For each leak through an engine that the tests make: where did the same line lead in another process?"""
    for leak in case.leaks:
        other = in_another_process(case, leak)
        made = first(case.evidence.chain(leak.engine)) if leak.engine is not None else None
        if leak.engine is None or made is None or other is None:
            continue
        yield Finding(
            "engine-differs-by-process",
            f"{leak.database.name} answered {within(leak.tests)}: {made.file}:{made.line} makes its engine, and in "
            f"another process of the same run (a worker of pytest-xdist, say) one of {other.url}. What that line goes "
            "by is not right in each.",
            made.file,
            made.line,
            (fact(case.evidence, other, f"engine made in another process ({other.url})"), *reach_facts(case, leak)),
            (leak.database.id,),
            leak.tests,
            (("url", leak.engine.url), ("to", other.url), ("pool", leak.engine.pool)),
        )


def in_another_process(case: Case, leak: Leak) -> Engine | None:
    """Another process's engine of the same line of the tests, on what is in order."""
    wrong = {one.database.id for one in case.leaks}
    made = case.evidence.chain(leak.engine)[:1] if leak.engine is not None else ()
    if not made or not case.of_tests(made[0].file):
        return None
    return next(
        (
            reach.engine
            for reach in case.reached
            if reach.engine is not None
            and reach.database.id not in wrong
            and leak.engine is not None
            and reach.engine.process != leak.engine.process
            and case.evidence.chain(reach.engine)[:1] == made
        ),
        None,
    )
