"""variable-not-asked-for: nothing reads the variable that the tests set, and the one that is read is not set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from kit.analysis.case import Case, Leak, of_leak
from kit.analysis.model import Fact, Finding, fact, first
from kit.analysis.opened_by_tests import by_tests
from kit.analysis.reach import MODULE
from kit.analysis.url_source import leads_to, url_source_of, writer
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate, diff
from kit.detectors.planning.context import Context
from kit.evidence.model import Frame, Variable
from kit.probes.interventions.variables import SetVariable

NAME = "variable-not-asked-for"
_ALIKE = 0.5  # least similarity between a name in a file and a missing variable


@dataclass(frozen=True, slots=True)
class About:
    """The variable that was set, its value as the evidence shows it, and the variable that the application reads."""

    variable: str
    value: str
    wanted: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak from no variable: which variable did the tests set without effect, and which one was missing?"""
    for leak in case.leaks:
        source = url_source_of(case.evidence, leak.first)
        if by_tests(case, leak) or source.kind == "variable":
            continue
        asked = [source.asked] if source.asked is not None else None  # exactly the variable whose default was used
        for variables in (case.evidence.variables, *(() if asked else (case.evidence.modes,))):
            in_vain, missing = _unread_variables(case, leak, variables), asked or _missing_reads(case, leak, variables)
            if in_vain and missing:
                event = in_vain[-1]
                yield _finding(case, leak, event, max(missing, key=lambda asked: _likeness(event.name, asked.name)))
                break
        else:
            yield from _in_a_file(case, leak, source.asked)


def _finding(case: Case, leak: Leak, event: Variable, asked: Variable) -> Finding[About]:
    given = f"which {writer(case.evidence, event)} sets to {event.value}"
    at = first(case.evidence.chain(event))
    return _unread_finding(case, leak, (event.name, event.value, given), asked, at, fact(case.evidence, event, "set"))


def _in_a_file(case: Case, leak: Leak, asked: Variable | None) -> Iterator[Finding[About]]:
    """A dotenv file has a name similar to the missing variable that names another database."""
    lines = [] if asked is None else list(_unread_lines(case, leak, asked))
    if asked is None or not lines:
        return
    file, line, name, value = max(lines, key=lambda entry: _likeness(entry[2], asked.name))
    at = Frame(file, line, MODULE)
    yield _unread_finding(
        case, leak, (name, value, f"which {file}:{line} gives as {value}"), asked, at, Fact("given", file, line)
    )


def _unread_lines(case: Case, leak: Leak, asked: Variable) -> Iterator[tuple[str, int, str, str]]:
    process, until_s = leak.first.entry.process, leak.first.entry.at_s
    known = {event.name.upper() for event in case.evidence.variables if event.op in ("read", "missing")}
    for event in case.evidence.settings_files:
        if event.process != process or event.at_s > until_s or ".env" not in event.file.rpartition("/")[2]:
            continue
        for line, name, value in event.entries:
            alike = _likeness(name, asked.name) >= _ALIKE
            if value and alike and name.upper() not in known and not any(leads_to(value, one) for one in case.reached):
                yield event.file, line, name, value


def _unread_finding(
    case: Case, leak: Leak, variable: tuple[str, str | None, str], asked: Variable, at: Frame | None, given: Fact
) -> Finding[About]:
    """The finding about a variable that nothing reads; `variable` is its name, value, and a clause on its source."""
    name, value, who = variable
    return of_leak(
        case,
        leak,
        NAME,
        f"Nothing reads {name}, {who}. The application reads {asked.name} at "
        f"{case.stack_text(case.evidence.chain(asked)[:3])}, where it is not set; its default leads to "
        f"{leak.database.name}.",
        at,
        About(name, value or "", asked.name),
        (
            replace(given, what=f"{name} {given.what}"),
            fact(case.evidence, asked, f"{asked.name} read, and not set"),
        ),
    )


def _unread_variables(case: Case, leak: Leak, variables: Iterable[Variable]) -> list[Variable]:
    """The variables that tests set before the leak, that nothing read by name, and that led to no database."""
    evidence, process = case.evidence, leak.first.entry.process
    mine = [event for event in variables if event.process == process]
    by_name = {event.name for event in mine if event.op in ("read", "missing") and not event.whole}
    led = {name for engine in evidence.engines for name in engine.variables or ()}
    return [
        event
        for event in mine
        if event.op == "set"
        and event.name not in by_name | led
        and event.at_s <= leak.reaches[-1].entry.at_s
        and case.done_by_tests(event)
        and not any(leads_to(event.value or "", reach) for reach in case.reached)
    ]


def _missing_reads(case: Case, leak: Leak, variables: Iterable[Variable]) -> list[Variable]:
    return [
        event
        for event in variables
        if event.op == "missing"
        and event.process == leak.first.entry.process
        and event.at_s <= leak.first.entry.at_s
        and not any(case.of_tests(frame.file) for frame in case.evidence.chain(event)[:1])
    ]


def _likeness(name: str, other: str) -> float:
    return SequenceMatcher(None, name.upper(), other.upper()).ratio()


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Set the variable that the application reads to the value that the tests give the other one."""
    name, wanted = finding.about.variable, finding.about.wanted
    value = context.values.get((name, finding.about.value)) or context.value_in_dotenv(finding, name)
    if value is not None:
        label = f"with {wanted} set to the value of {name}"
        yield Candidate(finding, label, (SetVariable(wanted, value),), _renamed(finding, context))


def _renamed(finding: Finding[About], context: Context) -> str:
    name, line = finding.about.variable, context.text_at(finding.file, finding.line)
    if finding.line and name in line and (finding.file or "").endswith(".py"):
        return diff(finding.file, finding.line, line, line.replace(name, finding.about.wanted))
    return advice(finding)


def advice(finding: Finding[About]) -> str:
    """Set the variable that is read."""
    return (
        f"At {finding.where} set {finding.about.wanted}, which is what the application reads, instead of "
        f"{finding.about.variable}."
    )


KIND = Kind(
    NAME,
    "A variable that nothing reads",
    Explanation(
        what="The tests set a variable that nothing reads; the application reads another one, which is not set, and "
        "uses its default.",
        comes_about="The name has a prefix (env_prefix, a nested model), is misspelt, or was renamed in the "
        "application.",
        example="""
        os.environ["DATABASE_URL"] = TEST_URL  # conftest.py

        class Settings(BaseSettings):
            database_url: str = "sqlite:///prod.db"
            model_config = SettingsConfigDict(env_prefix="APP_")   # reads APP_DATABASE_URL
        """,
        proved="A re-run with the variable that the application reads set to the same value.",
        to_do="Set the variable by the name that the application reads.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
)
