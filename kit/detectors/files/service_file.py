"""service-file: a section of libpq's service file that names the server and the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Fact, Finding
from kit.analysis.reach import MODULE
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.allowed_databases import allowed_url
from kit.detectors.planning.candidate import NOWHERE, Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import proposed_by
from kit.evidence.model import Frame, Service
from kit.probes.interventions.services import ServiceInstead

NAME = "service-file"
_NOWHERE = (("host", "127.0.0.1"), ("port", "1"), ("dbname", NOWHERE))


@dataclass(frozen=True, slots=True)
class About:
    """The service, the variable that names its file ("" for none), and the URL that was reached."""

    service: str
    variable: str
    url: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """Find each leak whose server and database a section of a service file names."""
    for leak in case.leaks:
        if leak.engine is not None and leak.engine.variables:
            continue
        for event in case.evidence.services:
            if event.connection == leak.first.connection.connection:
                yield _finding(case, leak, event)
                break


def _finding(case: Case, leak: Leak, event: Service) -> Finding[About]:
    inherited = [one for one in case.evidence.variables if (one.name, one.op) == (event.variable, "inherited")]
    by = "the environment of the command" if inherited else "the program"
    named = f", the file that {event.variable} names ({by} sets it)" if event.variable else ""
    return of_leak(
        case,
        leak,
        NAME,
        f"{leak.database.name} answered {within(leak.tests)}: the service [{event.service}] in {event.file}:"
        f"{event.line} names it{named}.",
        Frame(event.file, event.line, MODULE),
        About(event.service, event.variable, leak.first.connection.configured),
        (Fact(f"its database: {leak.database.name}", event.file, event.database_at),),
    )


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Have the service name the allowed database, else a server that does not exist."""
    settings = _allowed(context, finding.about.url)
    yield proposed_by(finding, ServiceInstead(finding.file or "", finding.about.service, settings), advice(finding))


def _allowed(context: Context, url: str) -> tuple[tuple[str, str], ...]:
    """The settings of a database that the tests reached, of one that the allow-list names whole, or of none."""
    found = urlsplit(allowed_url(context, url))
    if found.hostname:
        reached = {
            "host": found.hostname, "port": str(found.port or 5432), "dbname": unquote(found.path[1:]),
            "user": unquote(found.username or ""), "password": unquote(found.password or ""),
        }  # fmt: skip
        return tuple((name, value) for name, value in reached.items() if value)
    names = {"host": "host", "port": "port", "database": "dbname"}
    named = tuple((names[part], value) for part, value in context.case.allowed.differing(url).items())
    return named if named and all(value for _, value in named) else _NOWHERE


def advice(finding: Finding[About]) -> str:
    """Name another file, or another service."""
    about = finding.about
    return (
        "Let the tests set PGSERVICEFILE to a service file of their own before the application connects, in which "
        f"[{about.service}] is the test database; or let the application take the name of the service from what tests "
        "can set."
    )


KIND = Kind(
    NAME,
    "A service file that names the database",
    Explanation(
        what="The application connects to a service of libpq's, and its section in the service file names the wrong "
        "database.",
        comes_about="PGSERVICEFILE (or ~/.pg_service.conf) is the developer's or the machine's, and the tests set no "
        "other.",
        example="""
        # the shell has PGSERVICEFILE=/etc/app/pg_service.conf, where [app] is the production database
        psycopg.connect("service=app")
        """,
        proved="A re-run with a copy of the service file, in which the service names another database.",
        to_do="Set PGSERVICEFILE, or the service's name, for the tests.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="the service at {where} names it",
)
