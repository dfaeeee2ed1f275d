"""Did the wrong thing come back? What is looked for in each run, and when a run says nothing. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kit.diagnose.candidate import NOWHERE, Change
from kit.evidence import Entry, Evidence, Refusal
from kit.findings.answer import Answer, answer
from kit.findings.case import Case, Leak, case_of
from kit.findings.databases import Allowed
from kit.findings.diagnosis import Effect
from kit.findings.model import counted
from kit.findings.not_seen import hidden_anew
from kit.findings.reach import Reach
from kit.findings.themselves import made_by_tests
from kit.probes.allow import MalformedEntry

_RAN = ("passed", "failed", "xfailed", "xpassed")


@dataclass(frozen=True, slots=True)
class Symptom:
    """What went wrong in the first run: databases that were reached, or, where none was wrong, tests that failed.

    `affected` are the tests in which it went wrong, `tests` all that ran. `wrong` are identities of databases. `apart`
    are tests in which something else goes wrong, of its own: they are left out while this is looked into.
    """

    first: Answer
    wrong: frozenset[str]
    affected: tuple[str, ...]
    tests: frozenset[str]
    failing: bool
    leaks: tuple[Leak, ...] = ()
    apart: tuple[str, ...] = ()

    @property
    def there(self) -> bool:
        """Whether anything went wrong."""
        return bool(self.wrong) or self.failing


def symptoms_of(first: Answer) -> tuple[Symptom, ...]:
    """What went wrong in the first run: one symptom for each set of leaks that share no test with another."""
    tests = frozenset(ran(first.evidence))
    sets = _apart(the_case(first))
    if not sets:
        failed = tuple(dict.fromkeys(failures(first.evidence)))
        return (Symptom(first, frozenset(), failed, tests, True),) if failed else ()
    affected = [tuple(dict.fromkeys(test for leak in leaks for test in leak.tests)) for leaks in sets]
    return tuple(
        Symptom(
            first,
            frozenset(leak.database.id for leak in leaks),
            affected[number],
            tests,
            False,
            leaks,
            tuple(test for other, group in enumerate(affected) if other != number for test in group),
        )
        for number, leaks in enumerate(sets)
    )


def _apart(case: Case) -> list[tuple[Leak, ...]]:
    """Sort leaks into sets that can be looked into one at a time. One outside the tests is there in every run."""
    sets: list[tuple[Leak, ...]] = []
    for leak in case.leaks:
        near = [group for group in sets if not leak.tests or any(_meet(case, leak, other) for other in group)]
        sets = [group for group in sets if group not in near]
        sets.append((*(one for group in near for one in group), leak))
    return sets


def _meet(case: Case, leak: Leak, other: Leak) -> bool:
    made = made_by_tests(case, leak)
    alike = made is not None and made == made_by_tests(case, other)
    shared = leak.engine is not None and leak.engine == other.engine  # made in the one, it leads on in the other
    return alike or shared or not other.tests or not set(leak.tests).isdisjoint(other.tests)


def the_case(found: Answer) -> Case:
    """The answer as the questions see it."""
    return case_of(found.evidence, found.reached, found.allowed)


def ran(evidence: Evidence) -> dict[str, str]:
    """The tests that were run to their body, with how they ended."""
    return {
        outcome.test: outcome.outcome
        for outcome in evidence.outcomes
        if outcome.when == "call" and outcome.outcome in _RAN
    }


def failures(evidence: Evidence) -> Iterable[str]:
    """The tests that failed, in whichever phase."""
    return (outcome.test for outcome in evidence.outcomes if outcome.outcome == "failed")


def effect(
    symptom: Symptom, run: Evidence, left_out: frozenset[str], changes: Sequence[Change] = ()
) -> tuple[Effect, str]:
    """What a run with these changes shows about the symptom; `left_out` are tests that it could do without."""
    if run.timed_out:
        return Effect.VOID, f"ended at its time limit, after {run.duration_s:.0f} s"
    if not run.processes:
        return Effect.VOID, "no probe reported"
    if symptom.wrong:
        shown, reason = _leak_effect(symptom, run, left_out, changes)
        anew = hidden_anew(symptom.first.evidence, run, symptom.first.allowed) if shown is Effect.GONE else None
        return (shown, reason) if anew is None else (Effect.VOID, f"{anew.why}, which it had not done before")
    return _failure_effect(symptom, run, left_out)


def _leak_effect(
    symptom: Symptom, run: Evidence, left_out: frozenset[str], changes: Sequence[Change]
) -> tuple[Effect, str]:
    refused = [refusal for refusal in run.refusals if NOWHERE not in refusal.database]
    if refused:
        first, chain = refused[0], run.chain(refused[0])
        if not _is_known(symptom, first):
            allow = f": allow it where tests may reach it (--allow {first.entry})" if first.entry else ""
            return Effect.VOID, f"it led to {first.database} instead, which is not allowed either{allow}"
        return Effect.STAYS, f"{_stopped(first)}, at {chain[0] if chain else first.phase}"
    again = answer(run, symptom.first.allowed, symptom.first.allowed.folder)
    wrong = [reach for reach in again.reached if _is_wrong(symptom, again, reach.database.id)]
    if wrong:
        return Effect.STAYS, f"{wrong[0].database.name} was reached, at {wrong[0].opener}"
    return _led_nowhere(symptom, run, again) or _comparable(symptom, run, again, left_out, changes)


def _stopped(refusal: Refusal) -> str:
    """At what a run was stopped. A file is not opened; a server has been asked, by the kit, which one it is."""
    if refusal.observed is None or "file" in refusal.observed:
        return f"stopped before anything was said to {refusal.database}"
    return f"stopped before the application's first statement to {refusal.database}"


def _led_nowhere(symptom: Symptom, run: Evidence, again: Answer) -> tuple[Effect, str] | None:
    """Where the experiment names a place that is not there, the tests go on to it and no further."""
    if not run.refusals and not any(NOWHERE in failed.configured for failed in run.failed_connections):
        return None
    tried = {program for _, program in _asked_from(run, again.reached)}
    idle = sorted({program for _, program in _wrongly(symptom)} - tried)
    if idle:
        return Effect.VOID, f"{idle[0] or 'it'} asks for no database any more"
    return Effect.GONE, "it was looked for where the change leads, and nowhere else"


def _is_known(symptom: Symptom, refusal: Refusal) -> bool:
    """Tell whether what a run was stopped at had been reached wrongly in the first run."""
    named = Allowed((refusal.entry,), symptom.first.allowed.folder)
    if not _can_be_meant(named):  # a client of which nobody can tell where it leads
        return False
    return any(
        named.judge(database) is True
        for database in symptom.first.databases
        if symptom.first.judged(database) is not True
    )


def _can_be_meant(named: Allowed) -> bool:
    try:
        return bool(named.entries.entries)
    except MalformedEntry:
        return False


def _is_wrong(symptom: Symptom, again: Answer, identity: str) -> bool:
    if symptom.first.allowed.patterns is None:
        return identity in symptom.wrong
    return any(database.id == identity and again.judged(database) is False for database in again.databases)


def _comparable(
    symptom: Symptom,
    run: Evidence,
    again: Answer,
    left_out: frozenset[str],
    changes: Sequence[Change],
) -> tuple[Effect, str]:
    """Nothing wrong was reached; did the tests do what they did before, or did they not come that far?"""
    now = ran(run)
    missing = [test for test in symptom.tests if test not in now and test not in left_out]
    if missing:
        return Effect.VOID, f"{counted(len(missing), 'test')} no longer ran, {missing[0]} first"
    before, code = symptom.first.evidence.exit_code, run.exit_code
    if not symptom.tests and code and (code != before or not again.reached):
        return Effect.VOID, f"it ended with exit code {code}" + ("" if again.reached else " and reached no database")
    asked = _asked_from(run, again.reached)
    for test, program in _wrongly(symptom, changes):
        if test not in left_out and (test, program) not in asked:
            ended = f"{test} {now.get(test, 'does not come to its body')}, and" if test else f"exit code {code}:"
            who = f"{program}, which had reached it there," if program else "it"
            return Effect.VOID, f"{ended} {who} asks for no database any more"
    return Effect.GONE, _instead(symptom, again)


def _wrongly(symptom: Symptom, changes: Sequence[Change] = ()) -> Iterator[tuple[str | None, str]]:
    """From where wrong databases were reached: test and program. Not what the changes take away themselves."""
    evidence = symptom.first.evidence
    for leak in symptom.leaks:
        for reach in leak.reaches:
            # That the tests ran tells that what imported them went on; of another program it tells nothing.
            early = reach.test is None and bool(symptom.tests) and not _is_child(evidence, reach.entry)
            if not early and not any(_takes_away(change, reach) for change in changes):
                yield reach.test, _program(evidence, reach.entry)


def _takes_away(change: Change, reach: Reach) -> bool:
    """Tell whether a change is that the very code which reached a database does not run."""
    if change["op"] in ("no-background", "no-lifespan"):
        return reach.how == {"no-background": "background task", "no-lifespan": "lifespan"}[change["op"]]
    return change["op"] == "edit" and any(
        frame.file == change["file"] and first <= frame.line <= last
        for frame in (*reach.chain, *reach.used)
        for first, last, _ in change["lines"]
    )


def _asked_from(run: Evidence, reached: Iterable[Reach]) -> set[tuple[str | None, str]]:
    """From where databases were asked for, whether or not they answered: test and program."""
    entries = (*(reach.entry for reach in reached), *run.failed_connections, *run.refusals)
    return {(entry.test, _program(run, entry)) for entry in entries}


def _is_child(run: Evidence, entry: Entry) -> bool:
    if entry.process >= len(run.processes):
        return False
    return run.processes[entry.process].ppid in {process.pid for process in run.processes}


def _program(run: Evidence, entry: Entry) -> str:
    """The program that the tests, or another process, had started; "" where it is the command's own."""
    if not _is_child(run, entry):
        return ""
    name = os.path.basename((run.processes[entry.process].argv or ("",))[0])
    return "python" if name.startswith("-") or not name else name


def _instead(symptom: Symptom, again: Answer) -> str:
    mine = [reach for reach in again.reached if reach.test in symptom.affected or not symptom.tests]
    used = {reach.database.name for reach in mine}
    names = sorted(used)
    if not names:
        return "the wrong database was not reached"
    return f"not reached; {names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''} answered"


def _failure_effect(symptom: Symptom, run: Evidence, left_out: frozenset[str]) -> tuple[Effect, str]:
    if run.refusals:
        return Effect.VOID, f"{_stopped(run.refusals[0])}, which is not allowed"
    failed = set(failures(run))
    now = ran(run)
    wanted = [test for test in symptom.affected if test not in left_out]
    missing = [test for test in wanted if test not in now and test not in failed]
    if missing:
        return Effect.VOID, f"{missing[0]} no longer ran"
    still = [test for test in wanted if test in failed]
    if still:
        return Effect.STAYS, f"{still[0]} fails"
    return Effect.GONE, f"{counted(len(wanted), 'test')} that failed now pass" if len(
        wanted
    ) > 1 else f"{wanted[0]} passes"
