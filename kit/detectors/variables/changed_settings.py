"""Shared by the kinds about a setting: the subject of a finding, its line, and the re-run that proves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case
from kit.analysis.model import Finding
from kit.detectors.planning.allowed_databases import usable_database
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.evidence.model import Frame, Setting
from kit.probes.interventions.connections import RedirectEngine


@dataclass(frozen=True, slots=True)
class SettingAbout:
    """The setting as a path in the program (`variable`), and its previous value as the evidence shows it.

    `value` is the new value, `made` the location where the engine is created. `held` is the other setting that still
    held the previous value when the engine was created; "" for none.
    """

    variable: str
    before: str
    value: str
    made: str
    held: str = ""


def line_of_tests(case: Case, late: Setting) -> Frame | None:
    """The line of the tests that changed a setting, or called the code that did."""
    return next((frame for frame in case.evidence.chain(late) if case.of_tests(frame.file)), None)


def set_at(case: Case, late: Setting) -> str:
    """The clause with which messages begin: a setting, its new value, and where it is set."""
    chain = case.evidence.chain(late)
    by = f" ({case.stack_text(chain[:3])})" if len(chain) > 1 else ""
    return f"{late.name} is set to {late.value} at {chain[-1].file}:{chain[-1].line}{by}"


def redirected_to_setting(finding: Finding[SettingAbout], context: Context, fix: str) -> Iterator[Candidate]:
    """Redirect the engine or connection to the database that the setting names at that moment."""
    about, leaks = finding.about, context.leaks_of(finding)
    for leak in leaks[:1]:
        chain = context.case.evidence.chain(leak.engine) if leak.engine is not None else ()
        frames = tuple((frame.file, frame.line) for frame in chain if not context.case.of_tests(frame.file))[:4]
        sites = () if frames else context.sites_of(leaks)
        if frames or sites:
            what, there = "engine" if frames else "connections", usable_database(context, about.value)
            label = f"with the {what} of {about.made or finding.where} redirected to the value of {about.variable}"
            led = RedirectEngine(frames, sites=sites, there=there, follow=about.variable, until=about.before)
            yield Candidate(finding, label, (led,), fix)
