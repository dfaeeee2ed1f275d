"""attached-database: a statement attaches another file to the connection (ATTACH)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kit.analysis.case import Case, attached_to, of_leak, within
from kit.analysis.model import Finding, Nothing, first, location
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import NOWHERE, Candidate
from kit.detectors.planning.context import Context
from kit.probes.interventions.base import WORKSPACE
from kit.probes.interventions.texts import EditModule

NAME = "attached-database"


def detect(case: Case) -> Iterator[Finding[Nothing]]:
    """For each leak through an attached file: which statement attached it?"""
    for leak in case.leaks:
        name = leak.first.connection.attached_as
        if name is None:
            continue
        at = first(case.evidence.chain(leak.first.connection))
        to = attached_to(case.reached, leak.first)
        yield of_leak(
            case,
            leak,
            NAME,
            f"{leak.database.name} is attached as {name} to {f'a connection to {to.name}' if to else 'a connection'} "
            f"at {location(at.file, at.line) if at else '?'}, {within(leak.tests)}: statements on {name} run there, "
            "whichever database the connection was opened on.",
            at,
            Nothing(),
        )


def interventions(finding: Finding[Nothing], context: Context) -> Iterator[Candidate]:
    """Attach another file in that statement, if it contains the file's name as a literal."""
    statement, leaks = context.statement(finding.file, finding.line), context.leaks_of(finding)
    name = (leaks[0].database.path or "").rpartition("/")[2] if leaks else ""
    if statement is None or not name or finding.file is None:
        return
    text = re.sub(rf"(?<=['\"]){re.escape(name)}(?=['\"])", f"{WORKSPACE}/{NOWHERE}", statement.text)
    if text != statement.text:
        label = f"with {finding.file}:{statement.first} attaching another file than {name}"
        edit = EditModule(finding.file, ((statement.first, statement.last, text),))
        yield Candidate(finding, label, (edit,), advice(finding))


def advice(finding: Finding[Nothing]) -> str:
    """Attach the file that a setting names."""
    return (
        f"At {finding.where} attach the file that a setting names, and let the tests set that to a file of their own: "
        "no URL of an engine and no override decides what is attached."
    )


KIND = Kind(
    NAME,
    "A file attached to the connection",
    Explanation(
        what="A statement attaches another SQLite file to the connection, and the tests' URL does not decide which.",
        comes_about="The application, a listener for new connections or a script runs ATTACH DATABASE "
        "with a file of its own.",
        example="""
        @event.listens_for(engine, "connect")
        def attach(connection, record):
            connection.execute("attach database 'archive.db' as archive")
        """,
        proved="A re-run in which the statement attaches another file.",
        to_do="Attach the file that a setting names, and let the tests set it.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="{where} attaches it",
)
