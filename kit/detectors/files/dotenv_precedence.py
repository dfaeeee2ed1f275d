"""dotenv-precedence: a dotenv file takes precedence over the variable that the tests set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak
from kit.analysis.model import Fact, Finding, fact, first
from kit.analysis.reach import MODULE
from kit.analysis.url_source import loaded_from_file, passed_over, url_source_of, writer
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import without_line_of_file, without_statement
from kit.evidence.model import Evidence, Frame, Variable

NAME = "dotenv-precedence"


@dataclass(frozen=True, slots=True)
class About:
    """The variable, and whether a statement loads the file into the environment, where it overrides other files."""

    variable: str
    loads: bool


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak: does its URL come from a dotenv file although the tests, or another file, gave another value?"""
    for leak in case.leaks:
        found = _overwritten_by_loader(case, leak) or _loaded_before(case, leak) or _read_from_file(case, leak)
        if found is not None:
            yield found


def _overwritten_by_loader(case: Case, leak: Leak) -> Finding[About] | None:
    """A loader overwrote the variable that the tests, or a plugin for them, had set, with a value from a file."""
    evidence = case.evidence
    source = url_source_of(evidence, leak.first)
    if source.written is None or source.variable is None or not loaded_from_file(source.written):
        return None
    before = [event for event in _writes(evidence, source.variable, leak) if event.at_s < source.written.at_s]
    ours = next((event for event in reversed(before) if case.done_by_tests(event) or _by_plugin(evidence, event)), None)
    if ours is None or ours.value == source.written.value is not None:
        return None
    at = first(evidence.chain(source.written))
    file = _file_with(evidence, source.variable, source.written.value)
    return of_leak(
        case,
        leak,
        NAME,
        f"{source.variable}={source.written.value} comes from {file} via {source.written.written_by} at "
        f"{writer(evidence, source.written)}; it replaced the value {ours.value} set by {writer(evidence, ours)}.",
        at,
        About(source.variable, loads=False),
        (
            fact(evidence, ours, f"{ours.name} set by the tests"),
            fact(evidence, source.written, f"{source.variable} set again, out of {file}"),
        ),
    )


def _loaded_before(case: Case, leak: Leak) -> Finding[About] | None:
    """A loader set the variable from one file, which takes precedence over another file that the settings read."""
    evidence = case.evidence
    source = url_source_of(evidence, leak.first)
    if source.written is None or source.variable is None or not loaded_from_file(source.written):
        return None
    other = passed_over(evidence, source.variable, source.written.value)
    if other is None:
        return None
    at = first(evidence.chain(source.written))
    file = _file_with(evidence, source.variable, source.written.value)
    return of_leak(
        case,
        leak,
        NAME,
        f"{source.variable}={source.written.value} comes from {file} via {source.written.written_by} at "
        f"{writer(evidence, source.written)}, which sets it in the environment, and the environment takes precedence "
        "over "
        f"{source.variable}={other[2]} in {other[0]}:{other[1]}.",
        at,
        About(source.variable, loads=True),
        (
            fact(evidence, source.written, f"{source.variable} set, out of {file}"),
            Fact(f"{source.variable}={other[2]}", other[0], other[1]),
        ),
    )


def _read_from_file(case: Case, leak: Leak) -> Finding[About] | None:
    """The settings read the file themselves, although the tests had set or removed the variable."""
    evidence, engine = case.evidence, leak.engine
    if engine is None or not engine.files or engine.variables:
        return None
    file, line, name = engine.files[0]
    ours = next(
        (
            event
            for event in evidence.variables
            if event.name.upper() == name.upper()
            and event.op in ("set", "removed", "missing")
            and event.at_s <= engine.at_s
            and event.process == engine.process
            and case.done_by_tests(event)
            and (event.op != "missing" or _is_read_for_removal(case, event))
        ),
        None,
    )
    if ours is None:
        return None
    opened = next((event for event in evidence.settings_files if event.file == file), None)
    at = first(evidence.chain(opened)) if opened is not None else None
    return of_leak(
        case,
        leak,
        NAME,
        f"{name} comes from {file}:{line}, which the settings read at {at or 'the start'}, although "
        f"{writer(evidence, ours)} had {'set it in' if ours.op == 'set' else 'removed it from'} the environment: "
        f"{leak.database.name} answered.",
        at or Frame(file, line, MODULE),
        About(name.upper(), loads=False),
        (
            fact(evidence, ours, f"{ours.name} {ours.op} by the tests"),
            Fact(f"{name} in the file", file, line),
        ),
    )


def _writes(evidence: Evidence, name: str, leak: Leak) -> list[Variable]:
    return [
        event
        for event in evidence.variables
        if event.name == name and event.op == "set" and event.process == leak.first.entry.process
    ]


def _by_plugin(evidence: Evidence, event: Variable) -> bool:
    """Whether a plugin that reads files, as pytest-env does, set a variable, and no code of the project called it."""
    return loaded_from_file(event) and all(frame.file.startswith("site-packages/") for frame in evidence.chain(event))


def _is_read_for_removal(case: Case, event: Variable) -> bool:
    """Whether test code read a missing variable without a default, as `delenv` and `pop` do before a removal."""
    if event.value is not None or event.written_by is not None:
        return False
    return any(case.of_tests(frame.file) for frame in case.evidence.chain(event)[:1])


def _file_with(evidence: Evidence, name: str, value: str | None = None) -> str:
    return next(
        (
            event.file
            for event in evidence.settings_files
            if any(entry == name and value in (None, given) for _, entry, given in event.entries)
        ),
        "a dotenv file",
    )


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Leave out the statement that loads the file, or drop the variable from all files."""
    if finding.about.loads:
        yield from without_statement(finding, context, advice(finding))
    yield from without_line_of_file(finding, context, finding.about.variable, "", 0, "", advice(finding))


def advice(finding: Finding[About]) -> str:
    """Do not let the file take precedence."""
    if finding.about.loads:
        return (
            f"At {finding.where} do not load the file in tests, or load the tests' own: what it sets in the "
            "environment takes precedence over every file that settings read."
        )
    return (
        f"At {finding.where} do not let the file override the environment (load_dotenv(override=False)), or load the "
        "tests' own dotenv file."
    )


KIND = Kind(
    NAME,
    "A dotenv file that takes precedence over the tests' variable",
    Explanation(
        what="The tests set or removed the variable, and a dotenv file set the application's value again.",
        comes_about="load_dotenv(override=True) overwrites what is set, load_dotenv() sets what a test removed, and "
        "settings classes read from .env what the environment lacks.",
        example="""
        os.environ["DATABASE_URL"] = TEST_URL  # conftest.py
        load_dotenv(override=True)             # app/settings.py, imported after that
        """,
        proved="A re-run without that variable from files, or without the statement that loads the file.",
        to_do="Load with override=False, or let the tests name a file of their own.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
