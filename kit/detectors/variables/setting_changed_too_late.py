"""setting-changed-too-late: a setting that the tests change when what reads it has been made already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Finding, fact, first
from kit.analysis.opened_by_tests import by_tests
from kit.analysis.settings import Made, handed_over, is_held, made_for
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.allowed_databases import named_there
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.evidence.model import Setting
from kit.probes.interventions.connections import LeadElsewhere

NAME = "setting-changed-too-late"


@dataclass(frozen=True, slots=True)
class About:
    """The setting's own name (`variable`), its place in the program, what it held before (as evidence shows it).

    `value` is what it is changed to, `made` where what reads it is made.
    """

    variable: str
    place: str
    before: str
    value: str
    made: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak: did the tests give a setting another database, which did not come to what leads there?"""
    for leak in case.leaks:
        if by_tests(case, leak):
            continue
        late = handed_over(case, leak)
        if late is not None:
            yield _finding(case, leak, made_for(case, leak), late)


def _finding(case: Case, leak: Leak, made: Made, late: Setting) -> Finding[About]:
    at, chain = first(case.evidence.chain(late)), case.evidence.chain(made.entry)
    where = f"{chain[0].file}:{chain[0].line}" if chain else ""
    return of_leak(
        case,
        leak,
        NAME,
        _said(case, leak, made, late, where),
        at,
        About(late.key, late.name, late.before or made.url, late.value, where),
        (
            fact(case.evidence, made.entry, f"{made.what} made ({made.url})"),
            fact(case.evidence, late, f"{late.name} changed to {late.value}"),
        ),
    )


def _said(case: Case, leak: Leak, made: Made, late: Setting, where: str) -> str:
    chain = case.evidence.chain(late)
    by = f" ({case.leads(chain[:3])})" if len(chain) > 1 else ""
    changed = f"{late.name} is changed to {late.value} at {chain[0].file}:{chain[0].line}{by}"
    answered = f"{leak.database.name} answered {within(leak.tests)}"
    if not is_held(leak, late):
        return (
            f"{changed}, and nothing takes it from there: {answered}, through the {made.what} made at "
            f"{where or '?'} ({made.url})."
        )
    if made.entry.at_s <= late.at_s:
        return (
            f"{changed} AFTER the {made.what} was made from its old value at {where or '?'} ({made.url}). The change "
            f"does not reach it: {answered}."
        )
    kept = f" ({', '.join(late.also)} still holds it)" if late.also else ""
    return (
        f"{changed}, and its old value had been taken over before{kept}: the {made.what} made at {where or '?'} got "
        f"{made.url}, and {answered}."
    )


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """What reads the setting led to where the setting leads at that moment."""
    about, leaks = finding.about, context.leaks_of(finding)
    for leak in leaks[:1]:
        entry = leak.engine
        chain = context.case.evidence.chain(entry) if entry is not None else ()
        frames = tuple((frame.file, frame.line) for frame in chain if not context.case.of_tests(frame.file))[:4]
        sites = () if frames else context.sites_of(leaks)
        if frames or sites:
            label = f"with what {about.made or finding.where} makes led to where {about.place} leads"
            there = named_there(context, about.value)
            led = LeadElsewhere(frames, sites=sites, there=there, follow=about.place, until=about.before)
            yield Candidate(finding, label, (led,), advice(finding))


def advice(finding: Finding[About]) -> str:
    """Change it before it is read."""
    about = finding.about
    made = f" {about.made} makes what reads it" if about.made else " what reads it is made"
    return (
        f"Set {about.variable} before{made}: give it to the function that makes the application or the engine (a "
        "factory that tests call with their own setting), or set it before the module is imported; or let the tests "
        "make the engine anew once it is set."
    )


KIND = Kind(
    NAME,
    "A setting changed too late",
    Explanation(
        what="The tests give a setting of the application (a key of its configuration, an attribute, a global) their "
        "own database, and what reads it had been made already, or had taken its value over.",
        comes_about="An engine is made when its module is imported or an extension is initialized, and a fixture "
        "changes the configuration afterwards.",
        example="""
        app = Flask(__name__)
        app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///blog.db"
        db.init_app(app)                       # makes the engine

        @pytest.fixture
        def client():
            app.config["SQLALCHEMY_DATABASE_URI"] = TEST_URL   # too late
        """,
        proved="A re-run in which the engine, or the connection, goes to where the setting leads at that moment.",
        to_do="Give the setting to what makes the application (create_app(TEST_URL)), or make the engine anew once it "
        "is set.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="{where} changes {variable} only after what reads it has been made",
)
