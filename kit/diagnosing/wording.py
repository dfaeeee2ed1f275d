"""The words for a proved cause: the headline, who set the variable, and what was tried. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kit.analysis.model import counted
from kit.answer.diagnosis import Cause, Effect, Run
from kit.answer.model import Answer
from kit.detectors.planning.candidate import Candidate
from kit.detectors.registry import kind_named
from kit.detectors.words import POSSIBLE_AT_MOST, Written, possible
from kit.diagnosing.inherited import TextOf, line_that_starts, line_with, lines_that_give, unread, writers
from kit.diagnosing.judge import Symptom


@dataclass(frozen=True, slots=True)
class Project:
    """The command that was run, its environment, and the text of the project's files."""

    command: tuple[str, ...] = ()
    given: Callable[[str], str | None] = lambda name: None
    text_of: TextOf = lambda file: None
    files: tuple[str, ...] = ()

    def writers(self, name: str) -> list[Written]:
        """The lines that set an inherited variable, or may have set it."""
        return writers(name, self.command, self.given(name), self.text_of, self.files)

    def unread(self, name: str, read: Sequence[str]) -> list[Written]:
        """The lines that would set a variable, in files that were not read."""
        return unread(name, self.text_of, self.files, read)

    def lines_that_give(self, flag: str, value: str) -> list[Written]:
        """The lines that give an option to a program, or may have given it."""
        return lines_that_give(flag, value, self.command, self.text_of, self.files)

    def lines_with(self, name: str, file: str) -> Iterator[int]:
        """The numbers of the lines of a configuration file that give a name a value; none if there is no file."""
        return line_with(name, self.text_of(file) or "")

    def line_that_starts(self, argv: Sequence[str]) -> str:
        """The line of the command's own scripts that started a process, as FILE:LINE; "" when unknown."""
        return line_that_starts(argv, self.command, self.text_of)


def inherited_by(candidate: Candidate, first: Answer) -> str:
    """The variable that a candidate removes or sets, if the tests only inherited it; else ""."""
    named = [one.start_variable for one in candidate.interventions if one.start_variable]
    events = (*first.evidence.variables, *first.evidence.parts)
    written = {one.op for one in events if one.name in named} & {"set", "inherited", "removed"}
    return named[0] if written == {"inherited"} else ""


def headline(symptom: Symptom, needed: Sequence[Candidate], project: Project) -> str:
    """One sentence on what the tests reach and why; with several causes, the number of tests for each."""
    reached = f"{_describe_affected(symptom)} {_does(symptom)} {_databases(symptom)}"
    reasons = [f"because {_because(symptom, one, project)}" for one in needed]
    if len(needed) == 1:
        return f"{reached} {reasons[0]}."
    shares = [set(one.finding.tests) & set(symptom.affected) for one in needed]
    if all(shares) and sum(map(len, shares)) == len(set().union(*shares)):  # the causes have disjoint tests
        reasons = [f"{len(share)} {reason}" for share, reason in zip(shares, reasons, strict=True)]
    return f"{reached}: {', and '.join(reasons)}."


def _describe_affected(symptom: Symptom) -> str:
    affected = symptom.affected
    if not affected:
        return "The command" if not symptom.tests else "What runs outside the tests"
    if len(affected) == 1:
        return affected[0]
    return "The tests" if set(affected) == symptom.tests else f"{counted(len(affected), 'test')}"


def _does(symptom: Symptom) -> str:
    reaches = [reach for leak in symptom.leaks for reach in leak.reaches]
    one = len(symptom.affected) < 2
    if any(reach.writes for reach in reaches):
        return "writes to" if one else "write to"
    if reaches and all(reach.stopped for reach in reaches):
        return "tries to reach" if one else "try to reach"
    return "reads" if one else "read"


def _databases(symptom: Symptom) -> str:
    names = list(dict.fromkeys(leak.database.name for leak in symptom.leaks))
    return " and ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _because(symptom: Symptom, candidate: Candidate, project: Project) -> str:
    where = f"{candidate.file}:{candidate.line}" if candidate.file and candidate.line else ""
    kind, about = kind_named(candidate.kind), candidate.finding.about
    clause = kind.words.because(about, where or candidate.file or "", project)
    if clause:
        return clause
    name = inherited_by(candidate, symptom.first)
    if name:
        return _set_by(name, project) + kind.words.used(about, where)
    if kind.because and where:
        return kind.because.format(where=where, variable=getattr(about, "variable", "") or "it")
    title = kind.title[:1].lower() + kind.title[1:]
    return f"of {title}, at {where}" if where else f"of {title}"


def _set_by(name: str, project: Project) -> str:
    """The clause on who set a variable that the tests inherited."""
    found = project.writers(name)
    if found and found[0].sure:
        return _sets(found[0], name)
    return f"the environment of the command sets {name}" + (f" (perhaps from {possible(found)})" if found else "")


def _sets(line: Written, name: str) -> str:
    return f"{line.with_reader} {line.verb} {name}"


def written_by(candidate: Candidate, first: Answer, project: Project) -> str:
    """A sentence on the line that set the inherited variable, or started the process; "" when unknown."""
    brought = kind_named(candidate.kind).words.brought(candidate.finding.about, project)
    if brought:
        return brought
    name = inherited_by(candidate, first)
    found = project.writers(name) if name else []
    if not found:
        return _unread(candidate, first, project)
    if found[0].sure:
        return f"{_sets(found[0], name)}."
    return f"{name} may have been set by {possible(found)}."


def _unread(candidate: Candidate, first: Answer, project: Project) -> str:
    """A sentence on the lines that would have set the cause's variable, which no code set; "" if there are none."""
    name = getattr(candidate.finding.about, "variable", "")
    if not name or {one.op for one in first.evidence.variables if one.name == name} != {"missing"}:
        return ""
    found = project.unread(name, [one.file for one in first.evidence.settings_files])[:POSSIBLE_AT_MOST]
    if not found:
        return ""
    files = "that file" if len({one.file for one in found}) == 1 else "those files"
    verb = "sets" if len(found) == 1 else "set"
    return f"{possible(found)} {verb} {name}, but nothing in this run took it from {files}."


def fix_of(candidate: Candidate, first: Answer, project: Project) -> str:
    """What to do, at the line that set the variable if that is known."""
    name = inherited_by(candidate, first)
    found = project.writers(name) if name else []
    if not found or not found[0].sure:
        return candidate.fix
    instead = f", or do not read that file at {found[0].through}" if found[0].through else ""
    return f"Remove {name} from {found[0]}{instead}. {candidate.fix}"


def to_change(cause: Cause, runs: Sequence[Run]) -> tuple[str, ...]:
    """What to change: first what was tried and worked, then what was not tried, marked as such."""
    return tuple(_to_change(cause, runs))


def _to_change(cause: Cause, runs: Sequence[Run]) -> Iterator[str]:
    helped = [one for one in enumerate(runs, 1) if one[1].effect is Effect.GONE and cause.changed in one[1].changed]
    number, run = min(helped, key=lambda one: (one[1].left_out, len(one[1].changed)), default=(0, None))
    if run is not None and run.remedy:
        together = ", together with the other causes" if len(run.changed) > 1 else ""
        yield f"Tried in run {number}{together}, and no test that had passed failed: {cause.changed}."
    if cause.fix.startswith("--- "):
        tried = next((run for run in runs if run.effect is Effect.GONE and applied(cause) in run.changed), None)
        yield f"Tried in run {runs.index(tried) + 1}, in memory:" if tried else "Untried:"
        yield cause.fix
    elif cause.fix:
        yield f"Untried: {cause.fix}"


def applied(cause: Cause | Candidate) -> str:
    """The label of a run with a printed diff applied."""
    return f"with the diff of {cause.file}:{cause.line} applied"


def as_edit(diff: str) -> tuple[str, int, int, str] | None:
    """(file, first line, last line, new text) of a printed diff with one hunk; None for other advice."""
    lines = diff.splitlines()
    if len(lines) < 4 or not lines[0].startswith("--- ") or not lines[2].startswith("@@ -"):
        return None
    first = int(lines[2][4:].partition(",")[0])
    gone = [line[1:] for line in lines[3:] if line.startswith("-")]
    come = [line[1:] for line in lines[3:] if line.startswith("+")]
    indent = gone[0][: len(gone[0]) - len(gone[0].lstrip())] if gone else ""
    if not gone or len(come) > len(gone):
        return None
    text = come or [f"{indent}pass"]
    return lines[0][4:], first, first + len(gone) - 1, "\n".join([*text, *["#"] * (len(gone) - len(text))])
