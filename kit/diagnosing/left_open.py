"""What redirecting an engine leaves open: it shows which engine was used, and not why. Pure.

Such a run is a complete proof only if nothing could have selected another engine. Otherwise the engine is named and no
cause is called proved. Doubts are: another cause that was found and not refuted, a process other than the tests', a
variable that the application read and that was not set, and replacements in the tests (`patch`, `monkeypatch.setattr`).
Redirected to a database that does not exist (a service of libpq's, too), any connection is gone: that is a proof only
where the program's text names the database at that very line. So is any database of a server whose host was changed to
one that does not exist: that shows where the host comes from, and not that it is the wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kit.analysis.case import Case, Leak
from kit.analysis.files_of_tests import files_of
from kit.analysis.model import first
from kit.answer.diagnosis import Effect, Run
from kit.detectors.kind import Strength
from kit.detectors.planning.candidate import NOWHERE
from kit.detectors.registry import kind_named
from kit.diagnosing.as_far import is_child
from kit.diagnosing.inherited import TextOf
from kit.diagnosing.judge import Symptom, case_of_answer
from kit.diagnosing.search import Found
from kit.probes.interventions.connections import RedirectConnection, RedirectEngine, RedirectSession
from kit.probes.interventions.services import ServiceInstead
from kit.probes.interventions.variables import SetVariable

_REDIRECTS = (RedirectEngine, RedirectConnection, RedirectSession, ServiceInstead)
_REPLACES = re.compile(r"^[^#\n]*(?:\bpatch(?:\.object)?\(|\bsetattr\()", re.MULTILINE)


def left_open(symptom: Symptom, found: Found, text_of: TextOf, runs: Sequence[Run] = ()) -> tuple[str, ...]:
    """The reasons why the engines identified by re-runs are not a proved cause, in sentences; empty for none.

    `text_of` returns the text of a project file, None if there is none.
    """
    if not found.confirmed:
        return ()
    doubts: dict[str, None] = {}
    if all(kind_named(one.kind).strength.reports_no_replacement for one in found.needed):
        case = case_of_answer(symptom.first)
        doubts = dict.fromkeys(doubt for leak in symptom.leaks for doubt in _doubts(case, leak, text_of))
        doubts |= dict.fromkeys(_undecided(symptom, found))
    if _redirected_nowhere(found, runs) and not all(_is_in_the_text(leak) for leak in symptom.leaks):
        doubts["it was redirected to a database that does not exist, where every connection fails"] = None
    doubts |= dict.fromkeys(_hosts_broken(found, runs))
    where = " and ".join(f"{one.file}:{one.line}" for one in found.needed)
    return (f"The re-runs show that {where} connects there, but not why: {'; '.join(doubts)}.",) if doubts else ()


def _redirected_nowhere(found: Found, runs: Sequence[Run]) -> bool:
    """Tell whether all that was changed is where connections lead, and no database answered instead."""
    redirects = all(isinstance(change, _REDIRECTS) for one in found.needed for change in one.interventions)
    return redirects and _none_answered(found, runs)


def _none_answered(found: Found, runs: Sequence[Run]) -> bool:
    labels = tuple(one.label for one in found.needed)
    gone = [run for run in runs if run.changed == labels and run.effect is Effect.GONE]
    return bool(gone) and all(run.nowhere for run in gone)


def _hosts_broken(found: Found, runs: Sequence[Run]) -> Iterator[str]:
    """Variables with only a part of the URL that were changed to no server."""
    for change in (change for one in found.needed for change in one.interventions):
        if isinstance(change, SetVariable) and change.value == NOWHERE and _none_answered(found, runs):
            yield (
                f"{change.name} was changed to a server that does not exist, where any database is gone; name the "
                "server by its address in the allow-list (--allow HOST:PORT/DB)"
            )


def _is_in_the_text(leak: Leak) -> bool:
    """Tell whether the line that made the engine, or connected, has its database from the program's own text."""
    return (leak.engine or leak.first.connection).literal is not None


def _undecided(symptom: Symptom, found: Found) -> Iterator[str]:
    """Causes that the first run shows and that no re-run has proved or refuted."""
    refuted = {id(one.finding) for one in found.refuted}
    for finding in symptom.first.findings:
        concerns = not finding.tests or not symptom.affected or not set(symptom.affected).isdisjoint(finding.tests)
        if concerns and kind_named(finding.kind).strength is Strength.CAUSE and id(finding) not in refuted:
            yield f"{finding.kind} at {finding.where} was found, but neither proved nor ruled out"


def _doubts(case: Case, leak: Leak, text_of: TextOf) -> Iterator[str]:
    made = leak.engine or leak.first.connection
    if _in_a_child(case, leak):
        yield f"a process that the tests' own had forked reached it, in which{_set_later(case, leak)} is not in force"
    elif not leak.tests and made.process not in _of_tests(case):
        yield "another process than the tests' reached it, which may lack their configuration"
    for asked in (*case.evidence.variables, *case.evidence.modes):
        before = asked.op == "missing" and asked.process == made.process and asked.at_s <= made.at_s
        at = first(case.evidence.chain(asked))
        mine = asked.test is None or asked.test == made.test
        if before and mine and at is not None and not case.of_tests(at.file):
            yield f"{asked.name} was not set when {at.file}:{at.line} read it, and may decide which database is used"
    for file in files_of(leak.tests):
        line = _line_that_replaces(text_of(file) or "")
        if line:
            yield f"{file}:{line} replaces something, perhaps to redirect it"


def _in_a_child(case: Case, leak: Leak) -> bool:
    """Tell whether a process that the tests' own has forked reached it: what is set there later does not reach it."""
    entry, processes = leak.first.entry, case.evidence.processes
    if entry.process >= len(processes):
        return False
    mine = processes[entry.process]
    forked = any(one.pid == mine.ppid and one.argv[1:] == mine.argv[1:] for one in processes)
    return forked and is_child(case.evidence, entry)


def _set_later(case: Case, leak: Leak) -> str:
    """What the tests set in their own process for the dependency that supplied a leak, in words."""
    dependency = leak.first.dependency
    names = {one.callable: one.name for one in case.evidence.callables}
    for change in case.evidence.overrides:
        mine = dependency is not None and names.get(change.key) == dependency.name and change.op != "removed"
        at = first(case.evidence.chain(change))
        if mine and at is not None and change.process != leak.first.entry.process:
            return f" the override that {at.file}:{at.line} sets in theirs"
    return " what they set after that"


def _of_tests(case: Case) -> frozenset[int]:
    """The processes in which tests ran."""
    return frozenset(use.process for use in case.evidence.uses if use.test is not None)


def _line_that_replaces(text: str) -> int:
    found = _REPLACES.search(text)
    return text.count("\n", 0, found.end()) + 1 if found else 0
