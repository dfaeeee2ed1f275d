"""setting-changed-too-late: the tests change a setting after the application has read it."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Finding, fact, first, location
from kit.analysis.opened_by_tests import by_tests
from kit.analysis.settings import Made, late_change, made_for, still_holding
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.variables.changed_settings import SettingAbout, line_of_tests, redirected_to_setting, set_at
from kit.detectors.words import Sources, Words
from kit.evidence.model import Setting, Text

NAME = "setting-changed-too-late"


def detect(case: Case) -> Iterator[Finding[SettingAbout]]:
    """For each leak: did the tests set a setting to another database after its old value was used or copied?"""
    for leak in case.leaks:
        if by_tests(case, leak):
            continue
        late = late_change(case, leak)
        if late is not None:
            yield _finding(case, leak, made_for(leak), late)


def _finding(case: Case, leak: Leak, made: Made, late: Setting) -> Finding[SettingAbout]:
    at, chain = line_of_tests(case, late), case.evidence.chain(made.entry)
    where = f"{chain[0].file}:{chain[0].line}" if chain else ""
    held = still_holding(case, leak, late)
    facts = [
        fact(case.evidence, made.entry, f"{made.what} made ({made.url})"),
        fact(case.evidence, late, f"{late.name} set to {late.value}", at),
    ]
    facts += [fact(case.evidence, held, f"{held.name} holds {held.value}")] if held else []
    return of_leak(
        case,
        leak,
        NAME,
        _describe_change(case, leak, made, late, where, held),
        at,
        SettingAbout(late.name, late.before or made.url, late.value, where, held.name if held else ""),
        tuple(facts),
    )


def _describe_change(case: Case, leak: Leak, made: Made, late: Setting, where: str, held: Text | None) -> str:
    changed, answered = set_at(case, late), f"{leak.database.name} answered {within(leak.tests)}"
    if made.entry.at_s <= late.at_s:
        return (
            f"{changed} AFTER the {made.what} was created from its old value at {where or '?'} ({made.url}). The "
            f"change has no effect: {answered}."
        )
    if held is not None:
        line = first(case.evidence.chain(held))
        there = f" ({location(line.file, line.line)})" if line is not None else ""
        return (
            f"{changed}, and {held.name}{there} still held its old value: the {made.what} created at {where or '?'} "
            f"after that got {made.url}, and {answered}."
        )
    kept = f" ({', '.join(late.also)} still has it)" if late.also else ""
    return (
        f"{changed} AFTER its old value had been copied{kept}: the {made.what} created at {where or '?'} got "
        f"{made.url}, and {answered}."
    )


def interventions(finding: Finding[SettingAbout], context: Context) -> Iterator[Candidate]:
    """Redirect the engine or connection to the database that the setting names at that moment."""
    return redirected_to_setting(finding, context, advice(finding))


def advice(finding: Finding[SettingAbout]) -> str:
    """Change the setting before it is read."""
    about = finding.about
    if about.held:
        return (
            f"Let the tests set {about.held}, too, or let {about.made or 'the application'} take its database from "
            f"{about.variable}; if the one is a copy of the other, set {about.variable} before it is made."
        )
    made = f"{about.made} reads it" if about.made else "the application reads it"
    return (
        f"Set {about.variable} before {made}: pass it to the function that creates the application or the engine (a "
        "factory that tests call with their own value), or set it before the module is imported; or let the tests "
        "create the engine again once it is set."
    )


def because(about: SettingAbout, where: str, sources: Sources) -> str:
    """That another setting held the old value, if it did."""
    held = f"{where} sets {about.variable}, and {about.held}, which the application uses, still holds its old value"
    return held if about.held and where else ""


KIND: Kind[SettingAbout] = Kind(
    NAME,
    "A setting changed too late",
    Explanation(
        what="The tests set a setting of the application (a key of its configuration, an attribute, a global) to their "
        "own database, and the engine had been created from the old value, or the old value had been copied.",
        comes_about="An engine is created when its module is imported or an extension is initialized, and a fixture "
        "changes the configuration afterwards.",
        example="""
        app = Flask(__name__)
        app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///blog.db"
        db.init_app(app)                       # creates the engine

        @pytest.fixture
        def client():
            app.config["SQLALCHEMY_DATABASE_URI"] = TEST_URL   # too late
        """,
        proved="A re-run in which the engine, or the connection, is redirected to the database that the setting names "
        "at that moment.",
        to_do="Pass the setting to what creates the application (create_app(TEST_URL)), or create the engine again "
        "once it is set.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="{where} sets {variable} only after the application has read it",
    words=Words(because=because),
)
