"""Did the start of the application put in place what a test had put elsewhere?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.evidence import Engine, Frame, Name
from kit.findings.case import Case, Leak, reach_facts
from kit.findings.model import Finding, fact
from kit.findings.reach import in_middleware


def ask(case: Case) -> Iterator[Finding]:
    """For each leak: was its engine made by a lifespan, or did a lifespan replace what led elsewhere?"""
    for leak in case.leaks:
        if leak.engine is None or leak.first.how == "lifespan":
            continue
        replaced = _replaced(case, leak)
        if not _made_in_lifespan(case, leak.engine) and replaced is None:
            continue
        at = _place(case, leak)
        if at is None:
            continue
        yield Finding(
            "lifespan-engine",
            _message(case, leak, replaced, at),
            at.file,
            at.line,
            (
                *((fact(case.evidence, replaced, f"{replaced.name} replaced by the lifespan"),) if replaced else ()),
                *reach_facts(case, leak),
            ),
            (leak.database.id,),
            leak.tests,
            (("lifespan", "yes"), ("replaced", replaced.name if replaced else "")),
        )


def _made_in_lifespan(case: Case, engine: Engine) -> bool:
    """Tell whether a lifespan made it: the start of an application also puts its middleware together."""
    return engine.stage == "lifespan" and not in_middleware(case.evidence, case.evidence.chain(engine))


def _replaced(case: Case, leak: Leak) -> Name | None:
    assert leak.engine is not None
    return next(
        (
            event
            for event in case.evidence.names
            if event.op == "rebound"
            and event.stage == "lifespan"
            and event.process == leak.first.entry.process
            and event.at_s <= leak.reaches[-1].entry.at_s
            and event.holds is not None
            and event.holds.engine == leak.engine.engine
            and not _left_by_lifespan(case, event)
        ),
        None,
    )


def _left_by_lifespan(case: Case, event: Name) -> bool:
    """Tell whether what was replaced was only what a lifespan, of a test before, had put there itself."""
    before = event.held_before.engine if event.held_before is not None else None
    return any(engine.engine == before and engine.stage == "lifespan" for engine in case.evidence.engines)


def _place(case: Case, leak: Leak) -> Frame | None:
    assert leak.engine is not None
    made = case.evidence.chain(leak.engine)
    if _made_in_lifespan(case, leak.engine) and made:
        return made[0]
    calls = {call.callable: call for call in case.evidence.callables}
    for part in case.evidence.app_parts:
        known = calls.get(part.lifespan or "")
        if known is not None and known.file and known.line:
            return Frame(known.file, known.line, known.name.rpartition(".")[2])
    return made[0] if made else None


def _message(case: Case, leak: Leak, replaced: Name | None, at: Frame) -> str:
    said = f"engine of {leak.database.name} made by the lifespan ({at.file}:{at.line})"
    if leak.engine is not None and not _made_in_lifespan(case, leak.engine):
        said = f"the lifespan ({at.file}:{at.line}) goes by the engine of {leak.database.name}"
    if replaced is not None:
        set_by = f" that {replaced.test} had set" if replaced.test else ""
        return f"app.{replaced.name}{set_by} was overwritten by the lifespan when the client was entered: {said}."
    return f"{said}, which runs when the client is entered (`with TestClient`): no override reaches it."
