"""no-separate-test-db: the suite has no database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, reach_facts
from kit.analysis.led_elsewhere import connects_elsewhere
from kit.analysis.model import Finding, fact
from kit.analysis.settings import named_by_settings
from kit.analysis.url_source import named_in_files, passed_over, source_of, url_source_of, writer
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import NOWHERE, Candidate, nowhere
from kit.detectors.planning.context import Context
from kit.evidence.model import Engine, Evidence, Frame, Use
from kit.probes.interventions.variables import SetVariable
from kit.probes.places import place

NAME = "no-separate-test-db"
# Destructive statements first, then changes, then additions.
_HARM = ("truncate", "drop", "delete", "update", "alter", "insert", "create")


@dataclass(frozen=True, slots=True)
class About:
    """The variable that names the database ("" for none), the engine's URL, and whether the variable holds it whole."""

    variable: str
    url: str
    whole: bool


def detect(case: Case) -> Iterator[Finding[About]]:
    """If only leaks were reached: which test line did the most harmful statement, and where did the URL come from?"""
    wrong = {leak.database.id for leak in case.leaks}
    if not wrong or case.allowed.patterns is None or case.evidence.overrides:
        return
    if any(reach.database.id not in wrong for reach in case.reached):
        return
    if any(event.op in ("set", "kept") and case.done_by_tests(event) for event in case.evidence.variables):
        return  # the tests name a database; another kind explains why it is not reached
    if _made_another(case):
        return  # likewise, by an engine
    if named_by_settings(case):
        return
    if any(connects_elsewhere(leak.first) or _another_is_named(case.evidence, leak) for leak in case.leaks):
        return
    worst = next(iter(sorted(_by_tests(case), key=lambda found: (_harm(found[0]), found[0].at_s))), None)
    if worst is None:
        return
    use, at = worst
    leak = next((leak for leak in case.leaks if use.test in leak.tests), case.leaks[0])
    engine = next((engine for engine in case.evidence.engines if engine.engine == use.engine), None)
    yield Finding(
        NAME,
        f"{at.file}:{at.line} {_verb(use)} {leak.database.name}, {_source(case.evidence, engine)}; no test has a "
        "database of its own, and nothing marks this one as a test database.",
        at.file,
        at.line,
        _about(case.evidence, engine),
        (
            fact(case.evidence, use, f"{use.verb or 'used'} {', '.join(use.tables)}".strip(), at),
            *reach_facts(case, leak),
        ),
        tuple(wrong),
        tuple(dict.fromkeys(test for leak in case.leaks for test in leak.tests)),
    )


def _by_tests(case: Case) -> Iterator[tuple[Use, Frame]]:
    """The uses by test code outside requests, each with its line."""
    for use in case.evidence.uses:
        frame = next((frame for frame in case.evidence.chain(use) if case.of_tests(frame.file)), None)
        if frame is not None and use.request is None:
            yield use, frame


def _made_another(case: Case) -> bool:
    """Whether the tests make an engine of another database than the leaks'."""
    wrong = {place(leak.engine.url) for leak in case.leaks if leak.engine is not None}
    made = (engine for engine in case.evidence.engines if case.done_by_tests(engine))
    return any(place(engine.url) not in wrong for engine in made)


def _another_is_named(evidence: Evidence, leak: Leak) -> bool:
    """Whether a settings file that was read names another database than the one that answered."""
    source = url_source_of(evidence, leak.first)
    name, value = source.variable, source.written.value if source.written is not None else None
    return name is not None and passed_over(evidence, name, value) is not None


def _harm(use: Use) -> int:
    if not use.writes:
        return len(_HARM) + 1
    return _HARM.index(use.verb) if use.verb in _HARM else len(_HARM)


def _verb(use: Use) -> str:
    if not use.writes or not use.verb:
        return "uses"
    return f"writes ({use.verb} {', '.join(use.tables)}) to" if use.tables else f"writes ({use.verb}) to"


def _about(evidence: Evidence, engine: Engine | None) -> About:
    if engine is None:
        return About("", "", whole=False)
    source, inside = source_of(evidence, engine), named_in_files(evidence, engine)
    name = source.variable or (inside[0][2] if inside else None)
    if name is None:
        name = next((event.name for event in evidence.variables if event.op == "missing"), None)
    value = source.written.value if source.written is not None else inside[0][3] if inside else None
    return About(name or "", engine.url, whole=value is None or "://" in value)


def _source(evidence: Evidence, engine: Engine | None) -> str:
    if engine is None:
        return "opened there"
    source, inside = source_of(evidence, engine), named_in_files(evidence, engine)
    if source.variable is not None and source.written is not None:
        return f"the URL of {source.variable}, from {writer(evidence, source.written)}"
    if inside:
        file, line, name, _ = inside[0]
        return f"the URL of {name}, taken from {file}:{line}"
    return f"the application's own URL ({engine.url})"


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Set the variable to another database."""
    name, url = finding.about.variable, finding.about.url
    value = nowhere(url) if finding.about.whole or not url else NOWHERE
    if name and value:
        label = f"with {name} naming another database"
        yield Candidate(finding, label, (SetVariable(name, value),), advice(finding))


def advice(finding: Finding[About]) -> str:
    """Give the tests a database of their own."""
    return (
        f"Give the tests a database of their own: set {finding.about.variable} at the top of conftest.py to a test "
        "database, and let the guard (kit guard init) refuse any other."
    )


KIND = Kind(
    NAME,
    "No database of the tests' own",
    Explanation(
        what="The tests use the application's database: nothing in the suite names another one.",
        comes_about="A suite that began with reads only, or on a developer's machine, uses the application's settings.",
        example="""
        def test_sites():
            engine.execute(text("delete from sites"))   # on whatever DATABASE_URL names
        """,
        proved="A re-run with the variable naming another database.",
        to_do="Name a test database at the top of conftest.py, and let the guard refuse all others.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
