"""What follows from the first run, and from the experiments: a diagnosis, in words. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from kit.diagnose.candidate import Candidate
from kit.diagnose.judge import Symptom
from kit.diagnose.search import Found
from kit.findings.answer import Answer, entries_said, nothing_found, saw_nothing
from kit.findings.diagnosis import Cause, Diagnosis, Run, Status
from kit.findings.model import Finding, counted, place
from kit.findings.odds import unnamed
from kit.findings.origins import origin_said
from kit.findings.table import WEAK
from kit.report.answer_text import entry_of, families

_ENTRIES_AT_MOST = 3  # that are proposed for the allow-list
_GAPS_AT_MOST = 8
_LINES_SHOWN = 8  # of what a command wrote before it was ended


def nothing_wrong(first: Answer) -> Diagnosis:
    """The diagnosis of a run in which no test failed, and nothing that is not allowed was reached."""
    told = first.allowed.patterns is not None
    unmatched = tuple(f"override key {key.name} matches nothing" for key in first.overrides if not key.matched)
    said = tuple(finding.message for finding in first.findings) + unseen(first)
    if saw_nothing(first):
        wrote = _last_wrote(first) if first.evidence.exit_code else ()
        return Diagnosis(Status.UNRESOLVED, nothing_found(first), unproved=(*said, *wrote))
    if said:
        seen = "was seen to reach" if first.hidden else "reached"
        return Diagnosis(
            Status.UNRESOLVED, f"No test {seen} a database that is not allowed, and none failed.", unproved=said
        )
    if not told:
        open_still = (*unmatched, *_unnamed(first))
        ask = ("Name the databases that the tests may reach (--allow DB).",) if open_still else ()
        status = Status.UNRESOLVED if open_still else Status.CLEAN
        return Diagnosis(status, nothing_found(first), unproved=(*open_still, *ask))
    happened = "Every database that was reached is allowed" + ("." if unmatched else ", and nothing is wrong.")
    return Diagnosis(Status.CLEAN, happened, unproved=(*unmatched, *entries_said(first)))


def unseen(first: Answer) -> tuple[str, ...]:
    """What was not seen and can hide a database, in sentences."""
    found = [f"Not seen: {gap}" for gap in first.hidden]
    more = [f"... and {len(found) - _GAPS_AT_MOST} more (--json lists them)"] if len(found) > _GAPS_AT_MOST else []
    return (*found[:_GAPS_AT_MOST], *more)


def _unnamed(first: Answer) -> Iterator[str]:
    """What is known of each database that the tests reach and do not name, where nobody else has named it."""
    for reach in unnamed(first.evidence, first.reached):
        mine = [other for other in first.reached if other.database.id == reach.database.id]
        writing = next((other for other in mine if other.writes), None)
        wrote = f" It was written to, at {writing.used[0]}." if writing is not None and writing.used else ""
        yield (
            f"{reach.database.name} was reached, at {reach.opener or 'no line of the project'}, and no override, no "
            f"engine and no variable of the tests leads there: {origin_said(first.evidence, reach)}.{wrote} If it is "
            f"the tests' own: --allow {shlex.quote(entry_of(first, reach.database))}"
        )


def ended_at_limit(first: Answer) -> Diagnosis:
    """The diagnosis of a first run that did not come to its end."""
    return Diagnosis(
        Status.UNRESOLVED,
        f"The command as it is was ended at its time limit, after {first.evidence.duration_s:.0f} s.",
        unproved=(
            "What came after that is not known, so nothing was run again. If it needs longer: --timeout-first S.",
            *_last_wrote(first),
            *(finding.message for finding in first.findings),
            *unseen(first),
        ),
    )


def _last_wrote(first: Answer) -> tuple[str, ...]:
    wrote = "\n".join(first.evidence.output.splitlines()[-_LINES_SHOWN:])
    return (f"What it last wrote:\n{wrote}",) if wrote else ()


def not_allowed(first: Answer, symptoms: Sequence[Symptom]) -> Diagnosis:
    """The diagnosis where something is wrong, and nobody has said which databases further runs may reach."""
    wrong = {identity for symptom in symptoms for identity in symptom.wrong}
    rest = [family[0] for family in families(first) if family[0].id not in wrong and family[0].lives_on]
    entries = [f"--allow {shlex.quote(entry_of(first, database))}" for database in rest[:_ENTRIES_AT_MOST]]
    name_them = f"If they are those that are not at odds: {' '.join(entries)}" if wrong and entries else "--allow DB"
    return Diagnosis(
        Status.UNRESOLVED,
        "; ".join(symptom_said(symptom) for symptom in symptoms) + ".",
        unproved=(
            "Nothing was run again: without --allow it is not known which databases the tests may reach. Name them "
            f"({name_them}), or say --yes to run again all the same.",
            *(finding.message for finding in first.findings),
            *unseen(first),
        ),
    )


def concluded(first: Answer, symptoms: Sequence[Symptom], found: Sequence[Found], runs: Sequence[Run]) -> Diagnosis:
    """The diagnosis that the experiments bear out, one search for each symptom."""
    proved = [one for one in found if one.confirmed and one.needed]
    causes = [cause for number, one in enumerate(proved, 1) for cause in _causes(one, number)]
    happened = "; ".join(_happened(symptom, one.needed) for symptom, one in zip(symptoms, found, strict=True))
    status = Status.PROVED if len(proved) == len(found) else Status.UNRESOLVED
    return Diagnosis(status, f"{happened}.", tuple(causes), tuple(runs), _unproved(first, found))


def symptom_said(symptom: Symptom) -> str:
    """What went wrong, in words."""
    first = symptom.first
    if symptom.wrong:
        names = [database.name for database in first.databases if database.id in symptom.wrong]
        where = f"in {counted(len(symptom.affected), 'test')}" if symptom.affected else "outside the tests"
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        unsaid = "" if first.allowed.patterns is not None else ", and is not where the tests themselves lead"
        return f"{names[0]}{more} was reached {where}{unsaid}"
    failed = f"{counted(len(symptom.affected), 'test')} failed"
    if first.allowed.patterns is None and any(database.lives_on for database in first.databases):
        return f"{failed}; whether a wrong database was reached, nobody has said"
    return f"{failed}, no wrong database was reached"


def findings_of(symptom: Symptom) -> tuple[Finding, ...]:
    """The findings of the first run that have to do with a symptom."""
    return tuple(
        finding
        for finding in symptom.first.findings
        if not finding.tests or not symptom.affected or not set(finding.tests).isdisjoint(symptom.affected)
    )


def _happened(symptom: Symptom, causes: Sequence[Candidate]) -> str:
    findings = findings_of(symptom)
    where = place(causes[0].file, causes[0].line) if causes else findings[0].where if findings else ""
    return f"{symptom_said(symptom)}{f', through {where}' if where else ''}"


def _causes(found: Found, number: int) -> list[Cause]:
    alone = len(found.needed) == 1
    return [
        Cause(one.kind, one.what, one.file, one.line, one.fix, one.label, alone, number)
        for one in (*found.needed, *found.also)
    ]


def _unproved(first: Answer, found: Sequence[Found]) -> tuple[str, ...]:
    """What was seen and not shown to matter, and what did not happen again."""
    not_again = "Run again without any change, the same did not happen: it does not happen every time."
    return (*(() if all(one.returns for one in found) else (not_again,)), *_not_decisive(first, found), *unseen(first))


def _not_decisive(first: Answer, found: Sequence[Found]) -> Iterator[str]:
    proved = {
        (candidate.kind, candidate.file, candidate.line) for one in found for candidate in (*one.needed, *one.also)
    }
    idle = {*WEAK, "engine-not-replaced"} if all(one.confirmed and one.needed for one in found) else set()
    for finding in first.findings:
        if (finding.kind, finding.file, finding.line) not in proved and finding.kind not in idle:
            yield f"{finding.kind} at {finding.where}, seen and not shown to decide: {finding.message}"
