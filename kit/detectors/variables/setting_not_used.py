"""setting-not-used: the tests set a setting to their database, and another value decides which one is used."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Finding, fact
from kit.analysis.opened_by_tests import by_tests
from kit.analysis.settings import late_change, made_for, unused_change
from kit.analysis.url_source import url_source_of
from kit.analysis.url_source_text import describe_url_source
from kit.detectors.kind import Explanation, Kind, Strength, never
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.variables.changed_settings import SettingAbout, line_of_tests, redirected_to_setting, set_at
from kit.evidence.model import Setting

NAME = "setting-not-used"


def detect(case: Case) -> Iterator[Finding[SettingAbout]]:
    """For each leak from no variable: did the tests set a setting to a database that only they reached?"""
    for leak in case.leaks:
        if by_tests(case, leak) or url_source_of(case.evidence, leak.first).variable or late_change(case, leak):
            continue
        vain = unused_change(case, leak)
        if vain is not None:
            yield _finding(case, leak, vain)


def _finding(case: Case, leak: Leak, vain: Setting) -> Finding[SettingAbout]:
    evidence, made, at = case.evidence, made_for(leak), line_of_tests(case, vain)
    chain = evidence.chain(made.entry)
    where = f"{chain[0].file}:{chain[0].line}" if chain else ""
    return of_leak(
        case,
        leak,
        NAME,
        f"{set_at(case, vain)}, and the application does not reach that database: {leak.database.name} answered "
        f"{within(leak.tests)}, through the {made.what} created at {where or '?'}; "
        f"{describe_url_source(evidence, leak.first)}.",
        at,
        SettingAbout(vain.name, vain.before or made.url, vain.value, where),
        (
            fact(evidence, made.entry, f"{made.what} made ({made.url})"),
            fact(evidence, vain, f"{vain.name} set to {vain.value}", at),
        ),
    )


def interventions(finding: Finding[SettingAbout], context: Context) -> Iterator[Candidate]:
    """Redirect the engine or connection to the database that the setting names at that moment."""
    return redirected_to_setting(finding, context, advice(finding))


def advice(finding: Finding[SettingAbout]) -> str:
    """Use the setting, or set another one."""
    about = finding.about
    made = about.made or "the application"
    return f"Let {made} take its database from {about.variable}, or let the tests set what {made} takes it from."


KIND = Kind(
    NAME,
    "A setting that decides nothing",
    Explanation(
        what="The tests set a setting (a global, an attribute, a key of the configuration) to their own database, "
        "nothing reaches that, and the application's engine takes its URL from elsewhere.",
        comes_about="The application reads another global than the one that the tests set, or its URL stands at the "
        "line that creates the engine.",
        example="""
        TEST_URL = None
        URL = "sqlite:///app.db"
        engine = create_engine(URL)            # whatever TEST_URL is

        def test_sites(monkeypatch):
            monkeypatch.setattr(db, "TEST_URL", "sqlite:///test.db")
        """,
        proved="A re-run in which the engine, or the connection, is redirected to the database that the setting names.",
        to_do="Let the application read that setting, or set the one that it reads, before it is read.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    never,
    because="{where} sets {variable}, which does not decide which database is used",
)
