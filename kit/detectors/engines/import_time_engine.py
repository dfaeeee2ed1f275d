"""import-time-engine: a module opens the database while it is imported, before any test."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, Leak, reach_facts
from kit.analysis.model import Finding, Nothing
from kit.analysis.reach import MODULE
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import connected_elsewhere
from kit.evidence.model import Frame

NAME = "import-time-engine"


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each leak during an import: which top-level statement opened it, and which modules imported that one?"""
    for leak in case.leaks:
        statement = _module_statement(leak)
        if leak.first.how != "import" or statement is None:
            continue
        importers = [frame for frame in leak.first.chain if frame.function == MODULE]
        yield Finding(
            NAME,
            f"{leak.database.name} was opened during IMPORT of {_dotted(statement.file)} ({statement.file}:"
            f"{statement.line}), before any test: connection from {case.stack_text(tuple(importers))}.",
            statement.file,
            statement.line,
            Nothing(),
            reach_facts(case, leak),
            (leak.database.id,),
        )


def _dotted(file: str) -> str:
    """The dotted name that a file most likely has as a module."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _module_statement(leak: Leak) -> Frame | None:
    """The innermost frame of a module's top-level code."""
    return next((frame for frame in leak.first.chain if frame.function == MODULE), None)


def interventions(finding: Finding[Nothing], context: Context) -> Iterator[Candidate]:
    """Redirect the connections of the statement; a run without it would prove nothing about the cause."""
    label = f"with the connections of {finding.where} redirected"
    return connected_elsewhere(finding, context, context.leaks_of(finding), label, advice(finding))


def advice(finding: Finding[Nothing]) -> str:
    """Open the database later than at import."""
    return f"Move the statement at {finding.where} out of the module's top level, into the lifespan or a command."


KIND = Kind(
    NAME,
    "A database opened at import",
    Explanation(
        what="A module opens the database while it is imported, before any fixture or override is there.",
        comes_about="create_all, a check of the connection or a query stands at the top of a module.",
        example="""
        engine = create_engine(settings.url)
        Base.metadata.create_all(engine)       # runs when the module is imported
        """,
        proved="A re-run in which the connections of the statement are redirected.",
        to_do="Move the statement into the lifespan, or into a command.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="{where} opens it when its module is imported",
)
