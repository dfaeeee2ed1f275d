"""The work of `kit diagnose`: trace, plan, announce, re-run, report."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from kit.analysis.case import Case
from kit.analysis.model import counted
from kit.answer.diagnosis import Diagnosis, Effect, Run, Status, plain
from kit.answer.model import Answer
from kit.detectors.planning.candidate import Candidate
from kit.diagnosing.budget import Budget
from kit.diagnosing.conclusion import (
    concluded,
    describe_symptom,
    ended_at_limit,
    findings_of,
    not_allowed,
    nothing_wrong,
)
from kit.diagnosing.journal import Journal, RunResult, opened
from kit.diagnosing.judge import Symptom, case_of_answer, failures, judged, symptoms_of, together
from kit.diagnosing.order import dependences as order
from kit.diagnosing.order.model import Dependence
from kit.diagnosing.order.named import named
from kit.diagnosing.order.reruns import outcomes_of
from kit.diagnosing.plan import Plan, plan
from kit.diagnosing.reruns import Guard, Limits, Reruns
from kit.diagnosing.search import Found, OutOfRuns, search
from kit.diagnosing.selection import smallest, with_one_more
from kit.diagnosing.wording import Project, applied, as_edit
from kit.errors import TraceError
from kit.evidence.model import Evidence
from kit.probes.interventions.base import Intervention
from kit.probes.interventions.tests import LeaveOut
from kit.probes.interventions.texts import EditModule
from kit.probes.redact import redact_command
from kit.processes import ENDING, signal_handlers
from kit.report.answer_text import github
from kit.report.diagnosis_text import as_commands, text
from kit.tracing import Traced, check, here, put, require_allowlist, say, silent, write

RUNS_AT_MOST = 16  # runs of all tests, and as many of a selection
ORDER_RUNS_AT_MOST = 100  # short runs of few tests, for each failed test that is examined
_TESTS_AT_MOST = 3  # failed tests that are examined
FIRST_RUN_S = 3600.0
_PROVED, _UNRESOLVED = 1, 3


def diagnose_and_report(
    command: Sequence[str],
    allow: Sequence[str],
    json: Path | None,
    html: Path | None,
    format: str,
    *,
    dry_run: bool = False,
    yes: bool = False,
    timeout_first_s: float = FIRST_RUN_S,
    timeout_s: float | None = None,
    budget_min: float | None = None,
    tests: Sequence[str] = (),
    stop: bool = False,
    allow_driver: Sequence[str] = (),
    fresh: bool = False,
) -> int:
    """Trace a command, prove by re-runs why the wrong database was reached, and report it on standard output.

    Returns 0 when nothing is wrong, 1 when the cause is proved, 3 when it is not. When the user interrupts the re-runs,
    their results so far are reported before the interrupt is raised again. Raises TraceError when the command cannot
    run.
    """
    place = here()
    json, html = check(json, html)
    require_allowlist(stop, allow, allow_driver)
    if stop and yes:
        raise TraceError(
            "--stop and --yes contradict each other: the one refuses connections off the allow-list, the other allows "
            "them",
            remedy="leave one of them out",
        )
    limits, guard = Limits(timeout_first_s, timeout_s, Budget(budget_min)), Guard(stop, yes, tuple(allow_driver))
    with Reruns(tuple(command), tuple(allow), guard, limits, place, os.environ) as reruns:
        looking = Diagnosing(reruns, tuple(tests))
        looking.begin()
        looking.announce()
        looking.resume(fresh)
        if dry_run:
            return looking.code_of_first()
        diagnosis = looking.diagnose()
        report = (
            github(looking.first) + as_commands(diagnosis)
            if format == "github"
            else text(looking.first, diagnosis)
        )
        put(report, sys.stdout)
        write(looking.first, plain(diagnosis), json, html)
        if reruns.interrupted is not None:
            raise reruns.interrupted
    return {Status.CLEAN: 0, Status.PROVED: _PROVED, Status.UNRESOLVED: _UNRESOLVED}[diagnosis.status]


def diagnose(
    command: Sequence[str],
    allow: Sequence[str],
    *,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
    yes: bool = False,
    timeout_first_s: float = FIRST_RUN_S,
    timeout_s: float | None = None,
    budget_min: float | None = None,
    tests: Sequence[str] = (),
    stop: bool = False,
) -> tuple[Answer, Diagnosis]:
    """Trace a command in `folder`, prove by re-runs what causes the symptom, and return the answer and the diagnosis.

    `environ` is the command's environment, None for this process's. The first run ends after at most `timeout_first_s`,
    each re-run after `timeout_s` (None: three times the first run, and a margin). After `budget_min` minutes in total
    no re-run is started. With `stop`, connections off the allow-list are refused in the first run, too. Progress goes
    to standard error. Raises TraceError when the command cannot run.
    """
    place = folder.resolve() if folder is not None else here()
    require_allowlist(stop, allow, ())
    limits, guard = Limits(timeout_first_s, timeout_s, Budget(budget_min)), Guard(stop, yes)
    environ = os.environ if environ is None else environ
    with Reruns(tuple(command), tuple(allow), guard, limits, place, environ) as reruns:
        looking = Diagnosing(reruns, tuple(tests))
        looking.begin()
        looking.announce()
        diagnosis = looking.diagnose()
        if reruns.interrupted is not None:
            raise reruns.interrupted
        return looking.first, diagnosis


@dataclass
class Diagnosing:
    """The first run and the re-runs. `tests` are those whose dependence on other tests is to be explained."""

    reruns: Reruns
    tests: tuple[str, ...] = ()
    runs: list[Run] = field(default_factory=list)
    journal: Journal = field(default_factory=Journal)

    def begin(self) -> None:
        """Run the command unchanged, and find the symptoms."""
        self._idle = set[tuple[Intervention, ...]]()
        self._made = {True: 0, False: 0}  # number of runs, by whether they run a selection of the tests
        self.traced, self.first = self.reruns.run_unchanged()
        self.tests = named(self.first.evidence, self.tests)
        self.symptoms = () if self.traced.evidence.timed_out else symptoms_of(self.first)
        known = self.reruns.values
        self.plans = [plan(_case_of(one), findings_of(one), self._text_of, known) for one in self.symptoms]
        if self.symptoms or self.tests:
            self.reruns.keeper.end_first_run()

    def announce(self) -> None:
        """Announce the re-runs."""
        if self.first.evidence.timed_out:
            say(f"ended at its time limit, after {self.first.evidence.duration_s:.0f} s: no re-run")
        databases = " and ".join(self.reruns.keeper.databases)
        if databases and (self.tests or self.symptoms):
            say(f"before each run, what earlier runs wrote to {databases} is restored; nothing else should write "
            "there meanwhile")
        made = " and ".join(self.reruns.keeper.made_by_runs)
        if made and (self.tests or self.symptoms):
            say(f"before each run, and at the end, what a run has made on the server is dropped: {made}")
        if self.tests:
            say(f"{_describe_orders(len(self.tests))}, {self._describe_limits()}")
            return
        for symptom, planned in zip(self.symptoms, self.plans, strict=True):
            likely, others = planned.ranked
            say(f"{describe_symptom(symptom)}; {counted(len(likely), 'intervention')} to try:")
            for candidate in likely:
                say(f"  - run {candidate.label}")
            for candidate in (*others, *planned.last):
                say(f"  - if needed: {candidate.label}")
        if self.symptoms:
            say(f"at most {RUNS_AT_MOST} runs of all tests, {self._describe_limits()}")
            failed = {test for symptom in self.symptoms if symptom.failing for test in symptom.affected}
            if failed:
                say(f"  - if none of them explains it: {_describe_orders(min(len(failed), _TESTS_AT_MOST))}")

    def _describe_limits(self) -> str:
        refused = "are refused before their first statement (the kit only asks a server which one it is)"
        judged = f"connections off the allow-list {'go through' if self.reruns.guard.yes else refused}"
        minutes = self.reruns.limits.budget.minutes
        together = "" if minutes is None else f", all together, with the first one, at most {minutes:g} min"
        return f"each at most {self.reruns.timeout_s:.0f} s{together}; {judged}"

    def resume(self, fresh: bool) -> None:
        """Reuse the results of an interrupted diagnosis, and record those of this one."""
        if not self.symptoms or self.tests:
            return
        seen = {
            "command": [*redact_command(self.reruns.command)], "allow": [*self.reruns.allow],
            "guarded": not self.reruns.guard.yes, "environment": sorted(self.reruns.environ.items()),
            "interpreters": sorted({one.executable for one in self.first.evidence.processes}),
            "tests": [(one.test, one.when, one.outcome) for one in self.first.evidence.outcomes],
            "wrong": [(describe_symptom(symptom), symptom.affected, symptom.apart) for symptom in self.symptoms],
        }  # fmt: skip
        self.journal = opened(self.reruns.place, seen, fresh)

    def code_of_first(self) -> int:
        """The exit code of a dry run: 0 when nothing is wrong, 3 when something is or may be."""
        if self.first.evidence.timed_out or self.symptoms or not self.traced.evidence.processes:
            return _UNRESOLVED
        return 0 if nothing_wrong(self.first).status is Status.CLEAN else _UNRESOLVED

    def diagnose(self) -> Diagnosis:
        """Make the re-runs and conclude from them; if they stopped early, the diagnosis says why."""
        with signal_handlers(dict.fromkeys((signal.SIGINT, *ENDING), self.reruns.interrupt)):
            diagnosis = self._diagnose()
        if not self.reruns.stopped:
            self.journal.end()
            return diagnosis
        why = f"Stopped after {counted(len(self.runs), 'run')}: {self.reruns.stopped}."
        if self.journal.file is not None:
            why += " To go on from there, run the same command again within a day."
        return replace(diagnosis, unproved=(why, *diagnosis.unproved))

    def _diagnose(self) -> Diagnosis:
        if not self.traced.evidence.processes:
            lost = "The record is lost" if self.traced.evidence.problems else ""
            return Diagnosis(
                Status.UNRESOLVED,
                f"{lost or 'No probe reported'}, so nothing can be concluded.",
                unproved=tuple(silent(self.traced.evidence)),
            )
        if self.first.evidence.timed_out:
            return ended_at_limit(self.first)
        if not self.symptoms and not self.tests:
            return nothing_wrong(self.first)
        if not self.reruns.allow and not self.reruns.guard.yes and not self._in_memory_else():
            return not_allowed(self.first, self.symptoms)
        if self.tests:
            return self._of_order(self.tests)
        found = self._find_causes()
        diagnosis = concluded(self.first, self.symptoms, found, self.runs, self._project())
        if diagnosis.status is not Status.PROVED and all(symptom.failing for symptom in self.symptoms):
            failed = [test for symptom in self.symptoms for test in symptom.affected]
            return self._of_order(failed[:_TESTS_AT_MOST], diagnosis)
        return diagnosis if diagnosis.status is Status.PROVED else self._after_others(diagnosis) or diagnosis

    def _after_others(self, before: Diagnosis) -> Diagnosis | None:
        """The state for which tests reach a wrong database, each only after others; None if that is not proved of all.

        Only for few tests, which failed: the outcome is what a test alone and one after others are compared by.
        """
        failed = set(failures(self.first.evidence))
        tests = [test for symptom in self.symptoms for test in symptom.affected]
        all_fail = all(symptom.affected for symptom in self.symptoms) and failed.issuperset(tests)
        if not all_fail or len(tests) > _TESTS_AT_MOST or self.reruns.stopped:
            return None
        found = self._of_order(tests)
        return found if found.status is Status.PROVED else replace(before, runs=tuple(self.runs))

    def _find_causes(self) -> list[Found]:
        """Find each symptom's causes with few tests and confirm all in one run of all tests; otherwise one by one."""
        few = [self._on_few(symptom, planned) for symptom, planned in zip(self.symptoms, self.plans, strict=True)]
        known = [one[1] for one in few if one is not None and one[1].confirmed]
        if len(known) == len(self.symptoms) > 1 and self._hold_together(known):
            return known
        return [
            self._search(symptom, planned, one)
            for symptom, planned, one in zip(self.symptoms, self.plans, few, strict=True)
        ]

    def _on_few(self, symptom: Symptom, planned: Plan) -> tuple[Symptom, Found] | None:
        """The symptom with the fewest tests that show it, and its causes there; None when no selection shows it."""
        self._idle.clear()
        self._made[True] = 0
        small = self._selected(symptom)
        return None if small is None else (small, self._searched(small, planned, shown=True))

    def _search(self, symptom: Symptom, planned: Plan, few: tuple[Symptom, Found] | None) -> Found:
        """Confirm with all tests what the selection has shown; if that fails, search further."""
        self._idle.clear()
        while few is not None:
            small, found = few
            if found.confirmed and self._holds_with_all(symptom, found):
                return found
            if self.reruns.stopped:
                return replace(found, confirmed=False)
            more = with_one_more(symptom, small, self._still) if found.confirmed else None
            with_it = f"now with {self._still[0]}, which still shows the symptom" if more else "now with all tests"
            say(f"searching once more, {with_it}")
            few = None if more is None else (more, self._searched(more, planned, shown=True))
        found = self._searched(symptom, planned)
        self._try_diffs(symptom, found)
        return found

    def _hold_together(self, found: Sequence[Found]) -> bool:
        """Whether no test reaches a wrong database when all causes are changed at once, with printed diffs applied."""
        joint = together(self.symptoms)
        chosen = tuple(one for each in found for one in each.needed)
        edits = [(one, as_edit(one.fix)) for one in chosen]
        try:
            if any(edit for _, edit in edits) and not any(one.left_out for one in chosen):
                labels = tuple(applied(one) if edit else one.label for one, edit in edits)
                changes = [change for one, edit in edits for change in ([_edited(edit)] if edit else one.interventions)]
                if self._run(joint, (), labels, changes) is Effect.GONE:
                    return True
            return self._try_candidates(joint, chosen) is Effect.GONE
        except OutOfRuns:
            return False

    def _searched(self, symptom: Symptom, planned: Plan, shown: bool = False) -> Found:
        held = lambda one: one.interventions not in self._idle  # noqa: E731
        # A selection's affected tests must not be left out: they are what shows the symptom.
        mine = set(symptom.affected) if symptom.selected else set[str]()
        ranked = [[one for one in group if mine.isdisjoint(one.left_out)] for group in planned.ranked]
        return search(ranked, partial(self._try_candidates, symptom), planned.last, held, shown)

    def _selected(self, symptom: Symptom) -> Symptom | None:
        """The symptom with the fewest tests that show it without any intervention; None when no selection does."""
        try:
            small = smallest(symptom, lambda small: self._try_candidates(small, ()) is Effect.STAYS)
        except OutOfRuns:
            return None
        if small is not None:
            of = len({outcome.test for outcome in self.first.evidence.outcomes})
            shows = f"{of - len(small.apart)} of {of} tests show the symptom"
            say(f"{shows}: interventions are tried on these, and confirmed on all")
        return small

    def _holds_with_all(self, symptom: Symptom, found: Found) -> bool:
        """Whether the causes found with a selection make the symptom disappear with all tests.

        Each diff that will be printed is applied in a run of its own, in memory.
        """
        diffs = self._try_diffs(symptom, found)
        if len(found.needed) == 1 and diffs.get(found.needed[0]) is Effect.GONE:
            return True
        try:
            return self._try_candidates(symptom, found.needed) is Effect.GONE
        except OutOfRuns:
            return False

    def _try_diffs(self, symptom: Symptom, found: Found) -> dict[Candidate, Effect]:
        """Run the command once with each diff that will be printed applied in memory; no file is changed."""
        shown: dict[Candidate, Effect] = {}
        try:
            for candidate in (*found.needed, *found.also) if found.confirmed else ():
                edit = as_edit(candidate.fix)
                if edit is not None:
                    shown[candidate] = self._run(symptom, (), (applied(candidate),), [_edited(edit)])
        except OutOfRuns:
            return shown
        return shown

    def _project(self) -> Project:
        place, environ = self.reruns.place, self.reruns.environ
        return Project(self.reruns.command, environ.get, self._text_of, _settings_files(place))

    def _of_order(self, tests: Sequence[str], before: Diagnosis | None = None) -> Diagnosis:
        """Find what tests depend on that ran before them. The unproved results of `before` are kept."""
        found = [self._find_dependence(test, tests) for test in tests]
        unproved = before.unproved if before is not None else ()
        return order.concluded(found, self.runs, unproved)

    def _find_dependence(self, test: str, tests: Sequence[str]) -> Dependence:
        say(f"which tests does {test} depend on?")
        left = len(self.runs) + ORDER_RUNS_AT_MOST

        def again(label: str, interventions: Sequence[Intervention]) -> Evidence:
            if len(self.runs) >= left:
                raise OutOfRuns
            label = label if len(tests) == 1 else label.replace("the test", test, 1)
            say(f"run {len(self.runs) + 1}: {label}")
            evidence = self.reruns.again(interventions).evidence
            shown, reason = _effect_on_test(evidence, test)
            self.runs.append(Run((label,), shown, reason, evidence.duration_s))
            say(f"   {reason} ({evidence.duration_s:.1f} s)")
            return evidence

        return order.depends(
            self.first.evidence, test, again, self.reruns.folder / "state", self.reruns.seal, self.reruns.place,
            self.reruns.keeper,
        )  # fmt: skip

    def _in_memory_else(self) -> bool:
        """Whether all databases besides the wrong ones were in memory: then no allow-list is needed."""
        wrong = {identity for symptom in self.symptoms for identity in symptom.wrong}
        rightly = [database for database in self.first.databases if database.id not in wrong]
        return bool(rightly or not wrong) and all(not database.lives_on for database in rightly)

    def _try_candidates(self, symptom: Symptom, chosen: tuple[Candidate, ...]) -> Effect:
        interventions = [one for candidate in chosen for one in candidate.interventions]
        shown = self._run(symptom, chosen, tuple(candidate.label for candidate in chosen), interventions)
        if shown is not Effect.VOID or not any(candidate.otherwise for candidate in chosen):
            return shown
        labels = tuple(candidate.otherwise_label or candidate.label for candidate in chosen)
        interventions = [one for candidate in chosen for one in candidate.otherwise or candidate.interventions]
        return self._run(symptom, chosen, labels, interventions)

    def _run(
        self,
        symptom: Symptom,
        chosen: tuple[Candidate, ...],
        labels: tuple[str, ...],
        interventions: Sequence[Intervention],
    ) -> Effect:
        if self._made[symptom.selected] >= RUNS_AT_MOST:
            raise OutOfRuns
        self._made[symptom.selected] += 1
        aside = f", {counted(len(symptom.apart), 'other test')} left out" if symptom.apart else ""
        say(f"run {len(self.runs) + 1}: {' and '.join(labels) or 'unchanged'}{aside}")
        known = self.journal.take(symptom.apart, labels)
        if known is not None:
            self._idle |= {one.interventions for one in chosen if one.label in known.idle}
            say("   already run by the diagnosis that was stopped:")
            return self._ran(symptom, labels, known)
        apart = [LeaveOut(symptom.apart)] if symptom.apart else []
        try:
            traced = self.reruns.again([*interventions, *apart])
        except TraceError as error:  # an earlier run has removed something that the command needs
            return self._ran(symptom, labels, RunResult(Effect.VOID, error.found, 0.0))
        left_out = _tests_left_out(symptom, chosen) | set(symptom.apart)
        shown, reason, is_remedy, nowhere = judged(
            symptom, traced.evidence, frozenset(left_out), interventions, self._text_of
        )
        idle = _first_ineffective(traced, interventions)
        leave = _without_any_hold(traced, chosen, labels) if len(chosen) > 1 else ()
        if leave and len(leave) < len(chosen):  # the remaining candidates caused the result of this run
            self._idle |= {one.interventions for one in leave}
            reason = f"{reason}; without effect: {' and '.join(one.label for one in leave)}"
        elif idle:
            shown = Effect.VOID if shown is Effect.GONE else shown
            reason = f"the intervention had no effect ({idle}); {reason}"
        if shown is not Effect.GONE:
            is_remedy = nowhere = False
        duration_s = traced.evidence.duration_s
        still = tuple(refusal.test for refusal in traced.evidence.refusals if refusal.test is not None)
        found = RunResult(shown, reason, duration_s, is_remedy, tuple(one.label for one in leave), still, nowhere)
        self.journal.add(symptom.apart, labels, found)
        return self._ran(symptom, labels, found)

    def _ran(self, symptom: Symptom, labels: tuple[str, ...], found: RunResult) -> Effect:
        """Record and report the result of a run."""
        shown, self._still = Effect(found.effect), found.still
        run = Run(labels, shown, found.reason, found.duration_s, found.remedy, len(symptom.apart), found.nowhere)
        self.runs.append(run)
        say(f"   {shown.shown}: {found.reason} ({found.duration_s:.1f} s)")
        return shown

    def _text_of(self, file: str) -> str | None:
        try:
            return (self.reruns.place / file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None


def _describe_orders(tests: int) -> str:
    each = f" for each of {tests} tests" if tests > 1 else ""
    return f"at most {ORDER_RUNS_AT_MOST} short runs{each}, to find which other tests it depends on"


def _settings_files(place: Path) -> tuple[str, ...]:
    """The project's files that may set variables for a shell, an editor or CI."""
    found = [*place.glob(".env*"), *place.glob("*.env"), *place.glob(".github/workflows/*.y*ml")]
    return tuple(sorted(str(path.relative_to(place)) for path in found if path.is_file()))


def _effect_on_test(evidence: Evidence, test: str) -> tuple[Effect, str]:
    outcome = outcomes_of(evidence).get(test, ("", ""))[0]
    if evidence.timed_out:
        return Effect.VOID, "it was ended at its time limit"
    if evidence.refusals:
        effect = Effect.STAYS if all(refusal.test == test for refusal in evidence.refusals) else Effect.VOID
        return effect, f"{evidence.refusals[0].database}, which is not allowed, was refused"
    return _EFFECTS.get(outcome, Effect.VOID), f"it {outcome or 'did not run'}"


_EFFECTS = {"passed": Effect.GONE, "failed": Effect.STAYS}


def _edited(edit: tuple[str, int, int, str]) -> EditModule:
    file, first, last, text = edit
    return EditModule(file, ((first, last, text),))


def _case_of(symptom: Symptom) -> Case:
    return replace(case_of_answer(symptom.first), leaks=symptom.leaks)


def _tests_left_out(symptom: Symptom, chosen: Sequence[Candidate]) -> frozenset[str]:
    names = {name for candidate in chosen for name in candidate.left_out}
    return frozenset(
        test for test in {*symptom.tests, *symptom.affected} if test in names or test.partition("::")[0] in names
    )


def _without_any_hold(
    traced: Traced, chosen: Sequence[Candidate], labels: Sequence[str]
) -> tuple[Candidate, ...]:
    """The candidates of a joint run whose interventions all had no effect, in the order of the interventions."""
    held, number, found = {change.number for change in traced.evidence.changes}, 0, []
    for one, label in zip(chosen, labels, strict=True):
        made = one.interventions if label == one.label or not one.otherwise else one.otherwise
        if held.isdisjoint(range(number, number + len(made))):
            found.append(one)
        number += len(made)
    return tuple(found)


def _first_ineffective(traced: Traced, interventions: Sequence[Intervention]) -> str:
    held = {change.number for change in traced.evidence.changes}
    return next((one.op for number, one in enumerate(interventions) if number not in held), "")
