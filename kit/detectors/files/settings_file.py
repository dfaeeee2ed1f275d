"""settings-file: a line of a settings file names the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Fact, Finding, first, location
from kit.analysis.reach import MODULE
from kit.analysis.url_source import leads_to, loaded_from_file, named_in_files, url_source_of
from kit.detectors.kind import Explanation, Kind, Strength, never
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import without_line_of_file
from kit.evidence.model import Frame, SettingsFile, Variable

NAME = "settings-file"


@dataclass(frozen=True, slots=True)
class About:
    """The variable, the file and line that set it, and its value as the evidence shows it."""

    variable: str
    file: str
    line: int
    value: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak: was its variable loaded from a file, or did the settings read the file themselves?"""
    for leak in case.leaks:
        source, lines = url_source_of(case.evidence, leak.first), lines_of(case, leak)
        loaded = source.written is not None and loaded_from_file(source.written)
        if lines and (source.variable is None or loaded):
            yield _finding(case, leak, lines[0], source.written)


def _finding(
    case: Case, leak: Leak, line_of_file: tuple[str, int, str, str | None], written: Variable | None
) -> Finding[About]:
    file, line, name, value = line_of_file
    event: Variable | SettingsFile | None = written
    if event is None:
        event = next((opened for opened in case.evidence.settings_files if opened.file == file), None)
    at = first(case.evidence.chain(event)) if event is not None else None
    at = None if at is None or at.file.startswith("site-packages") else at
    by = f", which {location(at.file, at.line)} loads" if at is not None else ""
    outside = " (outside the folder in which the command ran)" if file.startswith(("/", "..")) else ""
    return of_leak(
        case,
        leak,
        NAME,
        f"{leak.database.name} answered {within(leak.tests)}: its URL comes from {name} in "
        f"{file}:{line}{outside}{by}.",
        at or Frame(file, line, MODULE),
        About(name, file, line, value or ""),
        (Fact(f"{name}={value}", file, line),),
    )


def lines_of(case: Case, leak: Leak) -> list[tuple[str, int, str, str | None]]:
    """The lines of settings files (file, line, name, value) that hold a leak's URL."""
    if leak.engine is not None:
        return named_in_files(case.evidence, leak.engine)
    return [
        (event.file, line, name, value)
        for event in case.evidence.settings_files
        for line, name, value in event.entries
        if value and leads_to(value, leak.first)
    ]


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Drop the variable from the file, or change its line to another database."""
    about = finding.about
    return without_line_of_file(
        finding, context, about.variable, about.file, about.line, about.value, advice(finding)
    )


def advice(finding: Finding[About]) -> str:
    """Name the tests' own file."""
    return (
        f"At {finding.where} name the tests' own file by its path (load_dotenv() looks for .env in the folders above, "
        f"too), or set {finding.about.variable} in the environment first, which takes precedence over files."
    )


KIND = Kind(
    NAME,
    "A settings file that names the database",
    Explanation(
        what="A line of a settings file (.env, a TOML or INI file) names the database, and nothing in the tests takes "
        "precedence over it.",
        comes_about="The application loads .env of the working directory, or of a folder above it, also under test.",
        example="""
        # .env: DATABASE_URL=postgresql://production/app
        load_dotenv()                          # finds it, also from the tests
        """,
        proved="A re-run without that variable from the file, or with the line naming another database.",
        to_do="Set the variable before the file is read, or name the tests' own file.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    never,
)
