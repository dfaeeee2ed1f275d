"""lifespan-engine: the application's lifespan opens a database, or replaces the tests' engine with its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak
from kit.analysis.model import Finding, fact
from kit.analysis.reach import in_middleware
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import connected_elsewhere, proposed_by
from kit.evidence.model import Engine, Frame, Name
from kit.probes.interventions.applications import NoLifespan

NAME = "lifespan-engine"


@dataclass(frozen=True, slots=True)
class About:
    """The name on the application's state that the lifespan overwrote; "" if it overwrote none."""

    replaced: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak: did a lifespan open it, make its engine, or replace an engine of another database?"""
    for leak in case.leaks:
        if leak.first.how == KIND.route:
            yield _opened(case, leak)
    for leak in case.leaks:
        if leak.engine is not None and leak.first.how != KIND.route:
            yield from _made(case, leak, leak.engine)


def _opened(case: Case, leak: Leak) -> Finding[About]:
    return of_leak(
        case,
        leak,
        NAME,
        f"{leak.database.name} was opened by the lifespan of the application ({leak.opener}), where no override is "
        f"looked up: {case.stack_text(leak.first.chain)}.",
        leak.opener,
        About(""),
    )


def _made(case: Case, leak: Leak, engine: Engine) -> Iterator[Finding[About]]:
    replaced = _replaced(case, leak, engine)
    if not _made_in_lifespan(case, engine) and replaced is None:
        return
    at = _location(case, engine)
    if at is None:
        return
    yield of_leak(
        case,
        leak,
        NAME,
        _message(case, leak, engine, replaced, at),
        at,
        About(replaced.name if replaced else ""),
        (fact(case.evidence, replaced, f"{replaced.name} replaced by the lifespan"),) if replaced else (),
    )


def _made_in_lifespan(case: Case, engine: Engine) -> bool:
    """Whether lifespan code made the engine; middleware, which is built at the same time, does not count."""
    return engine.stage == "lifespan" and not in_middleware(case.evidence, case.evidence.chain(engine))


def _replaced(case: Case, leak: Leak, engine: Engine) -> Name | None:
    return next(
        (
            event
            for event in case.evidence.names
            if event.op == "rebound"
            and event.stage == "lifespan"
            and event.process == leak.first.entry.process
            and event.at_s <= leak.reaches[-1].entry.at_s
            and event.holds is not None
            and event.holds.engine == engine.engine
            and not _left_by_lifespan(case, event)
        ),
        None,
    )


def _left_by_lifespan(case: Case, event: Name) -> bool:
    """Whether the replaced engine was itself made by a lifespan, for an earlier test."""
    before = event.held_before.engine if event.held_before is not None else None
    return any(engine.engine == before and engine.stage == "lifespan" for engine in case.evidence.engines)


def _location(case: Case, engine: Engine) -> Frame | None:
    made = case.evidence.chain(engine)
    if _made_in_lifespan(case, engine) and made:
        return made[0]
    calls = {call.callable: call for call in case.evidence.callables}
    for part in case.evidence.app_parts:
        known = calls.get(part.lifespan or "")
        if known is not None and known.file and known.line:
            return Frame(known.file, known.line, known.name.rpartition(".")[2])
    return made[0] if made else None


def _message(case: Case, leak: Leak, engine: Engine, replaced: Name | None, at: Frame) -> str:
    said = f"engine of {leak.database.name} made by the lifespan ({at.file}:{at.line})"
    if not _made_in_lifespan(case, engine):
        said = f"the lifespan ({at.file}:{at.line}) uses the engine of {leak.database.name}"
    if replaced is not None:
        set_by = f" that {replaced.test} had set" if replaced.test else ""
        return f"app.{replaced.name}{set_by} was overwritten by the lifespan when the client was entered: {said}."
    return f"{said}, which runs when the client is entered (`with TestClient`): overrides do not apply to it."


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Redirect the lifespan's connections; if it replaced an engine, also run without the lifespan."""
    leaks = context.leaks_of(finding)
    label = "with the connections of the application's lifespan redirected"
    yield from connected_elsewhere(finding, context, leaks, label, advice(finding))
    if finding.about.replaced:
        yield proposed_by(finding, NoLifespan(), advice(finding))
        for leak in leaks:
            yield from context.engine_elsewhere(leak)


def advice(finding: Finding[About]) -> str:
    """Let the lifespan use what tests can set."""
    return (
        "Let the lifespan take its engine or URL from something that tests can set before it runs, or set the test's "
        "own after the client has been entered."
    )


KIND = Kind(
    NAME,
    "A lifespan that makes the engine",
    Explanation(
        what="The application's lifespan opened the database, made its engine, or replaced the tests' engine.",
        comes_about="The lifespan runs when the client is entered (`with TestClient(app)`), after the test has set "
        "app.state or a global, and outside dependency injection.",
        example="""
        @asynccontextmanager
        async def lifespan(app):
            app.state.engine = create_async_engine(settings.url)   # overwrites the test's
            yield
        """,
        proved="A re-run without the statement, or without the lifespan.",
        to_do="Let the lifespan take its URL from settings that tests change, or set the test's engine after entering.",
    ),
    Strength.ROUTE,
    detect,
    interventions,
    advice,
    route="lifespan",
)
