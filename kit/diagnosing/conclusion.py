"""The diagnosis that follows from the first run and the re-runs, in words. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from kit.analysis.inferred_allowlist import unselected_reaches
from kit.analysis.model import Finding, counted, explained_by, location
from kit.analysis.url_source_text import describe_url_source
from kit.answer.diagnosis import Cause, Diagnosis, Effect, Run, Status
from kit.answer.model import Answer, describe_no_findings, entry_remarks, saw_nothing
from kit.detectors.planning.candidate import Candidate
from kit.detectors.registry import kind_named
from kit.diagnosing.judge import Symptom
from kit.diagnosing.left_open import left_open
from kit.diagnosing.search import Found
from kit.diagnosing.wording import Project, fix_of, headline, inherited_by, to_change, written_by
from kit.report.answer_text import entry_of, families

_ENTRIES_AT_MOST = 3  # entries that are proposed for the allow-list
_GAPS_AT_MOST = 8
_LINES_SHOWN = 8  # lines of a command's last output


def nothing_wrong(first: Answer) -> Diagnosis:
    """The diagnosis of a run without a failed test in which no database off the allow-list was reached."""
    has_list = first.allowed.patterns is not None
    unmatched = tuple(f"override key {key.name} matches nothing" for key in first.overrides if not key.matched)
    said = tuple(finding.message for finding in first.findings) + unseen(first)
    if saw_nothing(first):
        wrote = _last_wrote(first) if first.evidence.exit_code else ()
        return Diagnosis(Status.UNRESOLVED, describe_no_findings(first), unproved=(*said, *wrote))
    if said:
        seen = "was seen to reach" if first.hidden else "reached"
        return Diagnosis(
            Status.UNRESOLVED, f"No test {seen} a database that is not allowed, and none failed.", unproved=said
        )
    if not has_list:
        open_still = (*unmatched, *_unnamed(first))
        ask = ("Name the databases that the tests may reach (--allow DB).",) if open_still else ()
        status = Status.UNRESOLVED if open_still else Status.CLEAN
        return Diagnosis(status, describe_no_findings(first), unproved=(*open_still, *ask))
    happened = "Every database that was reached is allowed" + ("." if unmatched else ", and nothing is wrong.")
    return Diagnosis(Status.CLEAN, happened, unproved=(*unmatched, *entry_remarks(first)))


def unseen(first: Answer) -> tuple[str, ...]:
    """Refusals of anything but a database connection, and gaps that can hide a database, in sentences."""
    return (*(f"Refused: {stop}" for stop in first.stopped if not stop.connection), *_gaps(first))


def _gaps(first: Answer) -> tuple[str, ...]:
    found = [f"Not seen: {gap}" for gap in first.hidden]
    more = [f"... and {len(found) - _GAPS_AT_MOST} more (--json lists them)"] if len(found) > _GAPS_AT_MOST else []
    return (*found[:_GAPS_AT_MOST], *more)


def _unnamed(first: Answer) -> Iterator[str]:
    """One sentence on each database that the tests reached although nothing in them names it."""
    for reach in unselected_reaches(first.evidence, first.reached):
        mine = [other for other in first.reached if other.database.id == reach.database.id]
        writing = next((other for other in mine if other.writes), None)
        wrote = f" It was written to, at {writing.used[0]}." if writing is not None and writing.used else ""
        yield (
            f"{reach.database.name} was reached, at {reach.opener or 'no line of the project'}, and no override, no "
            f"engine and no variable of the tests leads there: {describe_url_source(first.evidence, reach)}.{wrote} If "
            f"it is a test database: --allow {shlex.quote(entry_of(first, reach.database))}"
        )


def ended_at_limit(first: Answer) -> Diagnosis:
    """The diagnosis of a first run that exceeded its time limit."""
    return Diagnosis(
        Status.UNRESOLVED,
        f"The unchanged command was ended at its time limit, after {first.evidence.duration_s:.0f} s.",
        unproved=(
            "What it would have done after that is not known, so nothing was re-run. If it needs longer: "
            "--timeout-first S.",
            *_last_wrote(first),
            *(finding.message for finding in first.findings),
            *unseen(first),
        ),
    )


def _last_wrote(first: Answer) -> tuple[str, ...]:
    wrote = "\n".join(first.evidence.output.splitlines()[-_LINES_SHOWN:])
    return (f"Its last output:\n{wrote}",) if wrote else ()


def not_allowed(first: Answer, symptoms: Sequence[Symptom]) -> Diagnosis:
    """The diagnosis when something is wrong and no allow-list says which databases re-runs may reach."""
    wrong = {identity for symptom in symptoms for identity in symptom.wrong}
    rest = [family[0] for family in families(first) if family[0].id not in wrong and family[0].lives_on]
    entries = [f"--allow {shlex.quote(entry_of(first, database))}" for database in rest[:_ENTRIES_AT_MOST]]
    name_them = f"perhaps {' '.join(entries)}" if wrong and entries else "--allow DB"
    return Diagnosis(
        Status.UNRESOLVED,
        "; ".join(describe_symptom(symptom) for symptom in symptoms) + "." if symptoms else describe_no_findings(first),
        unproved=(
            "Nothing was re-run: without --allow the kit does not know which databases the tests may reach. Name them "
            f"({name_them}), or pass --yes to re-run anyway.",
            *(finding.message for finding in first.findings),
            *unseen(first),
        ),
    )


def concluded(
    first: Answer,
    symptoms: Sequence[Symptom],
    found: Sequence[Found],
    runs: Sequence[Run],
    project: Project = Project(),  # noqa: B008 - it is frozen
) -> Diagnosis:
    """The diagnosis that the re-runs support; symptoms with the most tests come first."""
    half = [sentence for one in found for sentence in _describe_unconfirmed(one)]
    doubts = [left_open(symptom, one, project.text_of, runs) for symptom, one in zip(symptoms, found, strict=True)]
    found = [replace(one, confirmed=one.confirmed and not why) for one, why in zip(found, doubts, strict=True)]
    pairs = sorted(zip(symptoms, found, strict=True), key=lambda pair: -len(pair[0].affected))
    pairs = [(symptom, _without_duplicates(one, first, runs)) for symptom, one in pairs]
    proved = [(symptom, one) for symptom, one in pairs if one.confirmed]
    causes = [
        cause for number, (_, one) in enumerate(proved, 1) for cause in _causes(first, one, number, runs, project)
    ]
    status = Status.PROVED if len(proved) == len(found) else Status.UNRESOLVED
    happened = " ".join(_happened(symptom, one, project) for symptom, one in pairs)
    said = dict.fromkeys([*half, *(sentence for why in doubts for sentence in why)])
    return Diagnosis(status, happened, tuple(causes), tuple(runs), (*said, *_unproved(first, found, runs)))


def describe_symptom(symptom: Symptom) -> str:
    """Describe a symptom."""
    first = symptom.first
    if symptom.wrong:
        mine = [database for database in first.databases if database.id in symptom.wrong]
        names = [database.name for database in mine]
        where = f"in {counted(len(symptom.affected), 'test')}" if symptom.affected else "outside the tests"
        reached = "was requested, and refused," if all(map(first.is_only_refused, mine)) else "was reached"
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        unsaid = "" if first.allowed.patterns is not None else ", and is not a database that the tests configure"
        return f"{names[0]}{more} {reached} {where}{unsaid}"
    failed = f"{counted(len(symptom.affected), 'test')} failed"
    if first.allowed.patterns is None and any(database.lives_on for database in first.databases):
        return f"{failed}; without an allow-list the kit cannot tell whether a wrong database was reached"
    return f"{failed}, no wrong database was reached"


def findings_of(symptom: Symptom) -> tuple[Finding[object], ...]:
    """The findings of the first run that concern a symptom."""
    return tuple(
        finding
        for finding in symptom.first.findings
        if not finding.tests or not symptom.affected or not set(finding.tests).isdisjoint(symptom.affected)
    )


def _happened(symptom: Symptom, found: Found, project: Project) -> str:
    if found.confirmed and symptom.wrong:
        return headline(symptom, found.needed, project) + _describe_frequency(found)
    causes, findings = found.needed if found.confirmed else (), findings_of(symptom)
    where = location(causes[0].file, causes[0].line) if causes else findings[0].where if findings else ""
    return f"{describe_symptom(symptom)}{f', through {where}' if where else ''}."


def _without_duplicates(found: Found, first: Answer, runs: Sequence[Run]) -> Found:
    """Keep one of several sufficient changes to the same inherited variable, preferably one that was a remedy.

    Otherwise the variable's value, and the absence of any other, would count as two causes.
    """
    enough = (*found.needed, *found.also)
    if not found.confirmed or len(found.needed) > 1 or len(enough) < 2:
        return found
    remedies = {run.changed for run in runs if run.remedy}
    kept: dict[str, Candidate] = {}
    for number, one in enumerate(enough):
        name = inherited_by(one, first) or f"change {number}"
        if name not in kept or (not (_as_changed(kept[name]) & remedies) and _as_changed(one) & remedies):
            kept[name] = one
    chosen = tuple(sorted(kept.values(), key=lambda one: not kind_named(one.kind).explains_others))
    return replace(found, needed=chosen[:1], also=chosen[1:])


def _as_changed(candidate: Candidate) -> set[tuple[str, ...]]:
    """The labels of a run with this candidate alone."""
    return {(candidate.label,), (candidate.otherwise_label or candidate.label,)}


def _describe_frequency(found: Found) -> str:
    """A sentence on how often the symptom occurred, if it is intermittent."""
    seen, of = found.often
    if seen == of:
        return ""
    return f" It happened in {seen} of {of} unchanged runs, and in none of {found.repeated} with the intervention."


def _causes(first: Answer, found: Found, number: int, runs: Sequence[Run], project: Project) -> Iterator[Cause]:
    alone = len(found.needed) == 1
    for one in (*found.needed, *found.also):
        fix, written = fix_of(one, first, project), written_by(one, first, project)
        cause = Cause(one.finding, one.file, one.line, fix, _label_as_run(one, runs), alone, number, written)
        yield replace(cause, to_change=to_change(cause, runs))


def _label_as_run(candidate: Candidate, runs: Sequence[Run]) -> str:
    """The label of the candidate in the run that proved it: its own, or that of its alternative."""
    helped = {label for run in runs if run.effect is Effect.GONE for label in run.changed}
    other = candidate.otherwise_label
    return other if other in helped and candidate.label not in helped else candidate.label


def _unproved(first: Answer, found: Sequence[Found], runs: Sequence[Run]) -> tuple[str, ...]:
    """What was found and not proved, and what did not recur."""
    return (*dict.fromkeys(_unchanged(found, runs)), *_unobserved(found), *_not_decisive(first, found), *unseen(first))


def _unchanged(found: Sequence[Found], runs: Sequence[Run]) -> Iterator[str]:
    """Sentences on unchanged re-runs in which the symptom did not recur."""
    if any(one.unchanged is Effect.GONE for one in found):
        seen, of = max((one.often for one in found if one.unchanged is Effect.GONE), key=lambda often: often[1])
        yield f"The unchanged re-run did not reproduce it: it may be intermittent (it happened in {seen} of {of} runs)."
    for run in runs:
        if not run.changed and run.effect is Effect.VOID:
            yield f"The unchanged re-run was inconclusive, so no cause can be proved: {run.reason}."


def _describe_unconfirmed(found: Found) -> Iterator[str]:
    """A sentence on interventions that made the symptom disappear without being confirmed."""
    if found.needed and not found.confirmed:
        changed = " and ".join(one.label for one in found.needed)
        each = "each of them" if len(found.needed) > 1 else "it"
        gone = f"The symptom is gone {changed}"
        yield f"{gone}, but no run showed that it returns with {each} restored, so no cause is proved."


def _unobserved(found: Sequence[Found]) -> Iterator[str]:
    """Sentences on tests that a proof left out: it says nothing about them."""
    for one in found:
        for candidate in (*one.needed, *one.also) if one.confirmed else ():
            if candidate.left_out:
                yield f"The proof does not cover {', '.join(candidate.left_out)}, which it left out."


def _not_decisive(first: Answer, found: Sequence[Found]) -> Iterator[str]:
    proved = {id(candidate.finding) for one in found for candidate in (*one.needed, *one.also)}
    refuted = {id(candidate.finding) for one in found for candidate in one.refuted}
    all_proved = all(one.confirmed for one in found)
    for finding in first.findings:
        idle = all_proved and kind_named(finding.kind).strength.is_settled_by_cause
        if id(finding) in proved:
            continue
        if id(finding) in refuted:
            yield f"Ruled out: {finding.kind} at {finding.where}. With that alone changed, the symptom stayed."
        elif not idle:
            said = f"{finding.message} More: {explained_by(finding.kind)}"
            yield f"{finding.kind} at {finding.where} was found, but not proved to be a cause: {said}"
