"""background-task-session: a background task opens a session of its own, to which overrides do not apply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, named, of_leak
from kit.analysis.model import Finding
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import connected_elsewhere

NAME = "background-task-session"


@dataclass(frozen=True, slots=True)
class About:
    """The function that ran as the task."""

    function: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak by a background task: which function ran, and what did the request itself get?"""
    for leak in case.leaks:
        if leak.first.how == KIND.route:
            task = leak.first.chain[-1] if leak.first.chain else None
            function = "?" if task is None else named(task).removesuffix("()")
            yield of_leak(
                case,
                leak,
                NAME,
                f"{case.request_of(leak)}: {_by_dependency(case, leak)}1 session opened by background task {function} "
                f"({leak.opener}) -> {leak.database.name}. Overrides do not apply to a background task.",
                leak.opener,
                About(function),
            )


def _by_dependency(case: Case, leak: Leak) -> str:
    """A clause on the session that the same request got through a dependency; "" if it got none."""
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


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Redirect the task's connections to an allowed database; the task still runs."""
    leaks = [leak for leak in context.leaks_of(finding) if leak.first.how == KIND.route]
    label = f"with the connections of the background task {finding.about.function} redirected"
    yield from connected_elsewhere(finding, context, leaks, label, advice(finding))


def advice(finding: Finding[About]) -> str:
    """Pass the task a session factory."""
    return (
        f"Let the task {finding.about.function} get its session from the endpoint (a session factory that is a "
        "dependency), instead of the module's own."
    )


KIND = Kind(
    NAME,
    "A background task with a session of its own",
    Explanation(
        what="A background task of a request opened a session on the application's own engine.",
        comes_about="A task runs after the response, outside dependency injection: no override replaces what it opens.",
        example="""
        def write_log(message):
            with SessionLocal() as db:         # the module's own factory
                db.add(Log(message=message))

        @app.post("/sites")
        def add(tasks: BackgroundTasks, db=Depends(get_db)):
            tasks.add_task(write_log, "added")
        """,
        proved="A re-run in which the connections of the task are redirected to a database of the tests.",
        to_do="Pass the task a session factory that the endpoint gets as a dependency.",
    ),
    Strength.ROUTE,
    detect,
    interventions,
    advice,
    route="background task",
    because="a background task opens it at {where}, where overrides do not apply",
)
