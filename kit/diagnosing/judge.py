"""Did the symptom recur? The checks of each re-run, and when a re-run is inconclusive. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kit.analysis.case import Case, Leak, case_of
from kit.analysis.databases import Allowed
from kit.analysis.model import counted
from kit.analysis.not_seen import new_hiding_gap
from kit.analysis.opened_by_tests import made_by_tests
from kit.analysis.reach import Reach
from kit.answer.diagnosis import Effect
from kit.answer.model import Answer, answer
from kit.detectors.planning.candidate import NOWHERE
from kit.diagnosing.as_far import database_requests, is_child, program, removed_reach, unrepeated_reaches, used_stand_in
from kit.diagnosing.redirected import TextOf, not_redirected
from kit.evidence.model import Evidence, Refusal
from kit.probes.allow import MalformedEntry
from kit.probes.interventions.base import Intervention
from kit.probes.interventions.connections import RedirectConnection, RedirectEngine, RedirectSession
from kit.probes.interventions.variables import SetVariable
from kit.probes.places import place

# These redirect a connection: the test gets as far as before, and may then fail for lack of its rows.
_REDIRECTED = (RedirectEngine, RedirectSession, RedirectConnection)
_REDIRECTS = (*_REDIRECTED, SetVariable)
_RAN = ("passed", "failed", "xfailed", "xpassed")


class Judgement(NamedTuple):
    """What a re-run shows of the symptom, and the reason.

    `is_remedy`: the symptom is gone, with a database that exists, and no test that passed fails. `nowhere`: it is gone
    because what was asked for in place of the wrong database does not exist.
    """

    effect: Effect
    reason: str
    is_remedy: bool = False
    nowhere: bool = False


@dataclass(frozen=True, slots=True)
class Symptom:
    """A defect of the first run: databases that were wrongly reached or, if there are none, tests that failed.

    `affected` are the tests that show it, `tests` all tests that ran. `wrong` are identities of databases. `apart` are
    tests left out while this symptom is examined: they show another symptom or, with `selected`, are not needed to show
    this one.
    """

    first: Answer
    wrong: frozenset[str]
    affected: tuple[str, ...]
    tests: frozenset[str]
    failing: bool
    leaks: tuple[Leak, ...] = ()
    apart: tuple[str, ...] = ()
    selected: bool = False


def symptoms_of(first: Answer) -> tuple[Symptom, ...]:
    """The symptoms of the first run: one for each set of leaks that shares no test with another set."""
    tests = frozenset(ran(first.evidence))
    sets = _apart(case_of_answer(first))
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


def together(symptoms: Sequence[Symptom]) -> Symptom:
    """All symptoms as one, with the wrong databases of all and no test left out."""
    return Symptom(
        symptoms[0].first,
        frozenset().union(*(one.wrong for one in symptoms)),
        tuple(dict.fromkeys(test for one in symptoms for test in one.affected)),
        symptoms[0].tests,
        False,
        tuple(leak for one in symptoms for leak in one.leaks),
    )


def _apart(case: Case) -> list[tuple[Leak, ...]]:
    """Sort leaks into sets that can be examined separately. A leak outside the tests occurs in every run."""
    sets: list[tuple[Leak, ...]] = []
    for leak in case.leaks:
        near = [group for group in sets if not leak.tests or any(_meet(case, leak, other) for other in group)]
        sets = [group for group in sets if group not in near]
        sets.append((*(one for group in near for one in group), leak))
    return sets


def _meet(case: Case, leak: Leak, other: Leak) -> bool:
    made = made_by_tests(case, leak)
    alike = made is not None and made == made_by_tests(case, other)
    # An engine made in one test may be used in the other.
    shared = leak.engine is not None and leak.engine == other.engine
    return alike or shared or not other.tests or not set(leak.tests).isdisjoint(other.tests)


def case_of_answer(found: Answer) -> Case:
    """The answer as the input of detection."""
    return case_of(found.evidence, found.reached, found.allowed)


def ran(evidence: Evidence) -> dict[str, str]:
    """The tests whose body ran, with their outcomes."""
    return {
        outcome.test: outcome.outcome
        for outcome in evidence.outcomes
        if outcome.when == "call" and outcome.outcome in _RAN
    }


def failures(evidence: Evidence) -> Iterable[str]:
    """The tests that failed in any phase."""
    return (outcome.test for outcome in evidence.outcomes if outcome.outcome == "failed")


def judged(
    symptom: Symptom,
    run: Evidence,
    left_out: frozenset[str],
    interventions: Sequence[Intervention] = (),
    text_of: TextOf = lambda file: None,
) -> Judgement:
    """What a run with these interventions shows; `left_out` are tests that were left out.

    `text_of` returns the text of a project file, None if there is none.
    """
    if run.timed_out:
        return Judgement(Effect.VOID, f"ended at its time limit, after {run.duration_s:.0f} s")
    if not run.processes:
        return Judgement(Effect.VOID, "no probe reported")
    unobserved = [test for test in symptom.affected if test in left_out]
    if unobserved and len(unobserved) == len(symptom.affected):
        return Judgement(Effect.VOID, f"{unobserved[0]} shows the symptom, but was left out")
    if symptom.wrong:
        found = _leak_effect(symptom, run, left_out, interventions)
        if found.nowhere:
            found = _redirected_nowhere(symptom, run, left_out, interventions, text_of) or found
        gone = found.effect is Effect.GONE
        anew = new_hiding_gap(symptom.first.evidence, run, symptom.first.allowed) if gone else None
        return found if anew is None else Judgement(Effect.VOID, f"new in this run: {anew.why}")
    return _failure_effect(symptom, run, left_out)


def _leak_effect(
    symptom: Symptom, run: Evidence, left_out: frozenset[str], interventions: Sequence[Intervention]
) -> Judgement:
    refused = [refusal for refusal in run.refusals if NOWHERE not in refusal.database]
    if refused:
        first, chain = refused[0], run.chain(refused[0])
        if not _is_known(symptom, first):
            allow = f": allow it if tests may reach it (--allow {first.entry})" if first.entry else ""
            why = first.because or "which is not allowed either"
            return Judgement(Effect.VOID, f"it connected to {first.database} instead, {why}{allow}")
        return Judgement(Effect.STAYS, f"{_stopped(first)}, at {chain[0] if chain else first.phase}")
    again = answer(run, symptom.first.allowed, symptom.first.allowed.folder)
    # Refusals were handled above; remaining ones are for the replacement database, which does not exist.
    wrong = [reach for reach in again.reached if not reach.stopped and _is_wrong(symptom, again, reach.database.id)]
    if wrong:
        return Judgement(Effect.STAYS, f"{wrong[0].database.name} was reached, at {wrong[0].opener}")
    asked = wrong_server_requested(symptom, run)
    if asked:
        return Judgement(Effect.VOID, f"it tried to connect to {asked}, which is not allowed")
    return _comparable(symptom, run, again, left_out, interventions)


def _redirected_nowhere(
    symptom: Symptom,
    run: Evidence,
    left_out: frozenset[str],
    interventions: Sequence[Intervention],
    text_of: TextOf,
) -> Judgement | None:
    """VOID if a test may have ended before it connected as before, past what was changed; None if not."""
    if any(isinstance(one, _REDIRECTED) for one in interventions):
        return None
    begun = {*ran(run), *(ask.test for ask in database_requests(run) if ask.test is not None)} - left_out
    line = not_redirected(case_of_answer(symptom.first), symptom.wrong, begun, run, text_of)
    if line is None:
        return None
    return Judgement(
        Effect.VOID,
        f"the replacement does not exist, where the tests end: that {line.file}:{line.line} leads there, too, was not "
        "seen",
    )


def _stopped(refusal: Refusal) -> str:
    """The clause about a refusal. A file was not opened; a server was only asked by the kit for its identity."""
    if refusal.observed is None or "file" in refusal.observed:
        return f"refused before {refusal.database} was opened"
    return f"refused before the application's first statement to {refusal.database}"


def wrong_server_requested(symptom: Symptom, run: Evidence) -> str:
    """The address of a server off the allow-list that a run tried to connect to; "" if there is none.

    Connections that failed in the first run, too, are ignored: that is how a suite waits for its servers.
    """
    before = {failed.configured for failed in symptom.first.evidence.failed_connections}
    asked = [failed.configured for failed in run.failed_connections if failed.configured not in before]
    asked += [refusal.database for refusal in run.refusals if NOWHERE in refusal.database]
    servers = _wrong_servers(symptom)
    for configured in asked:
        if _server(configured) in servers:
            return configured
        if NOWHERE not in configured and symptom.first.allowed.names(configured) is False:
            return configured
    return ""


def _wrong_servers(symptom: Symptom) -> set[tuple[str, str]]:
    named = {
        _server(configured)
        for database in symptom.first.databases
        if database.id in symptom.wrong
        for configured, _, _ in database.asked
    }
    return {server for server in named if server is not None}


def _server(configured: str) -> tuple[str, str] | None:
    """Host and port of a URL; None if it names no server."""
    named = place(configured) if "://" in configured else None
    if named is None or not (named[1] or named[2]):
        return None
    return str(named[1]), str(named[2])


def _is_known(symptom: Symptom, refusal: Refusal) -> bool:
    """Whether the database that a run was refused is a wrong one of the first run."""
    named = Allowed((refusal.entry,), symptom.first.allowed.folder)
    if not _can_be_meant(named):  # the entry of a client with an unknown target
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
    return any(
        database.id == identity and again.judged(database) is False and NOWHERE not in database.name
        for database in again.databases
    )


def _comparable(
    symptom: Symptom,
    run: Evidence,
    again: Answer,
    left_out: frozenset[str],
    interventions: Sequence[Intervention],
) -> Judgement:
    """No wrong database was reached: did the tests get as far as before?"""
    first, now = symptom.first.evidence, ran(run)
    nowhere = requested_replacement(run, again)
    # A fixture redirected to the replacement database reaches its line, but its test does not reach its body.
    in_fixtures = _affected_in_fixtures(symptom) - set(now) if nowhere else set[str]()
    missing = [test for test in symptom.tests if test not in now and test not in left_out | in_fixtures]
    if missing and not run.refusals:  # after a refusal no more tests are started
        return Judgement(Effect.VOID, f"{counted(len(missing), 'test')} no longer ran, {missing[0]} first")
    if not symptom.tests and run.exit_code and (run.exit_code != first.exit_code or not again.reached) and not nowhere:
        reached = "" if again.reached else " and reached no database"
        return Judgement(Effect.VOID, f"it ended with exit code {run.exit_code}{reached}")
    gone = removed_reach(interventions, [reach for leak in symptom.leaks for reach in leak.reaches])
    if gone is not None:
        return Judgement(Effect.VOID, f"the code that opens {gone.database.name} at {gone.opener} did not run")
    wrongly = [
        reach for reach in _wrongly(symptom, left_out, now, bool(missing))
        if (reach.test not in in_fixtures or reach.phase == "setup") and not used_stand_in(run, reach, interventions)
    ]  # fmt: skip
    idle = next(unrepeated_reaches(first, wrongly, database_requests(run), interventions), None)
    if idle is not None:
        return Judgement(Effect.VOID, _no_longer_asks(symptom, idle, now, run))
    if nowhere:
        return Judgement(Effect.GONE, "only the replacement database was tried", nowhere=True)
    led = any(isinstance(one, _REDIRECTS) for one in interventions)
    lost = _no_longer_passes(symptom, run, symptom.affected if led else ())
    if lost:
        return Judgement(Effect.VOID, lost)
    return Judgement(Effect.GONE, _instead(symptom, again), is_remedy=not _no_longer_passes(symptom, run))


def _affected_in_fixtures(symptom: Symptom) -> set[str]:
    """The tests with a fixture that reached a wrong database."""
    reaches = (reach for leak in symptom.leaks for reach in leak.reaches)
    return {reach.test for reach in reaches if reach.test is not None and reach.phase == "setup"}


def _no_longer_passes(symptom: Symptom, run: Evidence, excused: Sequence[str] = ()) -> str:
    """A sentence on the first test that passed before and fails now; "" if there is none."""
    first, now = symptom.first.evidence, ran(run)
    failed, had_failed = set(failures(run)) - set(excused), set(failures(first))
    # Of a test whose teardown had failed, too, only the body can be lost.
    failed -= {test for test in had_failed if now.get(test) == "passed"}
    lost = [test for test, outcome in ran(first).items() if outcome == "passed" and test in failed]
    return f"{lost[0]} passed before and fails now" if lost else ""


def _no_longer_asks(symptom: Symptom, reach: Reach, now: Mapping[str, str], run: Evidence) -> str:
    ended = f"{reach.test} {now.get(reach.test, 'did not reach its body')}" if reach.test else ""
    who = program(symptom.first.evidence, reach.entry)
    who = f"{who}, which connected there before," if who else "it"
    at = f" at {reach.used[0].file}:{reach.used[0].line}" if reach.used else ""
    ended = f"{ended}, and" if ended else f"exit code {run.exit_code}:"
    return f"{ended} {who} no longer connects to a database{at}"


def requested_replacement(run: Evidence, again: Answer) -> bool:
    """Whether a run requested the replacement database, which does not exist, so that its tests got no further."""
    asked = (*(failed.configured for failed in run.failed_connections), *(one.database for one in run.refusals))
    return any(NOWHERE in one for one in asked) or any(NOWHERE in database.name for database in again.databases)


def _wrongly(symptom: Symptom, left_out: frozenset[str], now: Mapping[str, str], stopped: bool) -> Iterator[Reach]:
    """The reaches of wrong databases, without those of tests that a stopped run did not start."""
    evidence = symptom.first.evidence
    for leak in symptom.leaks:
        for reach in leak.reaches:
            # If the tests ran, the code that imported them did, too; this says nothing about another program.
            early = reach.test is None and bool(symptom.tests) and not is_child(evidence, reach.entry)
            unbegun = stopped and reach.test is not None and reach.test not in now
            if not early and not unbegun and reach.test not in left_out:
                yield reach


def _instead(symptom: Symptom, again: Answer) -> str:
    mine = [reach for reach in again.reached if reach.test in symptom.affected or not symptom.tests]
    used = {reach.database.name for reach in mine if not reach.stopped}
    names = sorted(used)
    if not names:
        return "the wrong database was not reached"
    return f"not reached; {names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''} answered"


def _failure_effect(symptom: Symptom, run: Evidence, left_out: frozenset[str]) -> Judgement:
    if run.refusals:
        return Judgement(Effect.VOID, f"{_stopped(run.refusals[0])}, which is not allowed")
    failed = set(failures(run))
    now = ran(run)
    wanted = [test for test in symptom.affected if test not in left_out]
    missing = [test for test in wanted if test not in now and test not in failed]
    if missing:
        return Judgement(Effect.VOID, f"{missing[0]} no longer ran")
    lost = _no_longer_passes(symptom, run)
    if lost:
        return Judgement(Effect.VOID, lost)
    still = [test for test in wanted if test in failed]
    if still:
        return Judgement(Effect.STAYS, f"{still[0]} fails")
    passes = f"{counted(len(wanted), 'test')} that failed now pass" if len(wanted) > 1 else f"{wanted[0]} passes"
    return Judgement(Effect.GONE, passes, is_remedy=True)
