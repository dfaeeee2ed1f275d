"""The command's own work: trace, plan, announce, run, tell."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec

from kit.analysis.case import Case
from kit.analysis.databases import allowed
from kit.analysis.model import counted
from kit.answer.diagnosis import Diagnosis, Effect, Run, Status, plain
from kit.answer.model import Answer
from kit.detectors.planning.candidate import NOWHERE, Candidate
from kit.diagnosing.conclusion import concluded, ended_at_limit, findings_of, not_allowed, nothing_wrong, symptom_said
from kit.diagnosing.judge import Symptom, effect, is_remedy, symptoms_of, the_case
from kit.diagnosing.order import asked as order
from kit.diagnosing.order.model import Dependence
from kit.diagnosing.order.reruns import outcomes_of
from kit.diagnosing.outside.keeper import Keeper
from kit.diagnosing.plan import plan
from kit.diagnosing.search import Found, OutOfRuns, search
from kit.diagnosing.told import Project, applied, as_edit
from kit.errors import TraceError
from kit.evidence.model import Evidence
from kit.probes.allow import AllowList
from kit.probes.interventions import INTERVENTIONS_VARIABLE
from kit.probes.interventions.base import WORKSPACE, Intervention
from kit.probes.interventions.outside import TellOfDatabases
from kit.probes.interventions.tests import LeaveOut, StopWhenRefused
from kit.probes.interventions.texts import EditModule
from kit.probes.interventions.variables import RememberVariables
from kit.probes.redact import redact_command
from kit.probes.sealed import Seal, new_key
from kit.report.answer_text import github
from kit.report.diagnosis_text import as_commands, text
from kit.tracing import (
    Stopping,
    Traced,
    ask,
    check,
    guard_of,
    here,
    hold_to_servers,
    needs_a_list,
    put,
    said_before,
    say,
    silent,
    trace,
    workspace,
    write,
)

RUNS_AT_MOST = 16
ORDER_RUNS_AT_MOST = 100  # short ones, of few tests, for each test that is looked into
_TESTS_AT_MOST = 3  # that failed and are looked into
FIRST_RUN_S = 3600.0
_PROVED, _UNRESOLVED = 1, 3


def diagnose_and_tell(
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
    tests: Sequence[str] = (),
    stop: bool = False,
    allow_driver: Sequence[str] = (),
) -> int:
    """Trace a command, prove by further runs why the wrong database was reached, and tell it on standard output.

    Returns 0 where nothing is wrong, 1 where the cause is proved, 3 where it is not. Raises TraceError where the
    command cannot be run.
    """
    place = here()
    json, html = check(json, html)
    needs_a_list(stop, allow, allow_driver)
    if stop and yes:
        raise TraceError(
            "--stop and --yes contradict each other: the one refuses connections off the allow-list, the other allows "
            "them",
            remedy="leave one of them out",
        )
    limits, guard = (timeout_first_s, timeout_s), _Guard(stop, yes, tuple(allow_driver))
    with _Reruns(tuple(command), tuple(allow), guard, limits, place, tests=tuple(tests)) as reruns:
        reruns.begin()
        reruns.announce()
        if dry_run:
            return reruns.code_of_first()
        diagnosis = reruns.diagnose()
        told = (
            github(reruns.first) + as_commands(diagnosis)
            if format == "github"
            else text(reruns.first, diagnosis)
        )
        put(told, sys.stdout)
        write(reruns.first, plain(diagnosis), json, html)
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
    tests: Sequence[str] = (),
    stop: bool = False,
) -> tuple[Answer, Diagnosis]:
    """Trace a command in `folder`, prove by further runs what leads astray, and return both answers.

    `environ` is the command's environment, None for this process's own. The first run is ended after `timeout_first_s`,
    each further one after `timeout_s` (None: three times as long as the first took, and a little). With `stop` the
    first run, too, is kept from what is not allowed. Progress goes to standard error. Raises TraceError where the
    command cannot be run.
    """
    place = folder.resolve() if folder is not None else here()
    needs_a_list(stop, allow, ())
    limits, guard = (timeout_first_s, timeout_s), _Guard(stop, yes)
    with _Reruns(tuple(command), tuple(allow), guard, limits, place, environ, tuple(tests)) as reruns:
        reruns.begin()
        reruns.announce()
        return reruns.first, reruns.diagnose()


@dataclass(frozen=True, slots=True)
class _Guard:
    """Which runs are kept from databases that are not allowed: the first one with `first`, re-runs unless `yes`."""

    first: bool = False
    yes: bool = False
    drivers: tuple[str, ...] = ()  # without a probe, that may connect all the same


@dataclass
class _Reruns:
    """The first run and what follows from it. Everything that is written lies in one folder, which goes at the end."""

    command: tuple[str, ...]
    allow: tuple[str, ...]
    guard: _Guard
    limits_s: tuple[float, float | None]  # of the first run, and of each further one
    place: Path
    environ: Mapping[str, str] | None = None
    tests: tuple[str, ...] = ()  # that are asked about
    runs: list[Run] = field(default_factory=list)

    def __enter__(self) -> _Reruns:
        self._closing, self._idle = ExitStack(), set[tuple[Intervention, ...]]()
        self._folder = self._closing.enter_context(workspace("kit-diagnose-"))
        self._seal = Seal(new_key())  # what a killed run leaves behind has passwords in it
        entries = allowed(self.allow, self.place).entries or AllowList((), str(self.place))
        self._keeper = self._closing.enter_context(Keeper(self._folder, self.place, entries, self._seal))
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.close()

    def begin(self) -> None:
        """Run the command as it is, and see what is wrong."""
        listed = allowed(self.allow, self.place)
        stopping = self._stopping(listed.entries) if self.guard.first else None
        environ = os.environ if self.environ is None else self.environ
        command = shlex.join(redact_command(self.command))
        say(f"first run, unchanged: {command}, at most {self.limits_s[0]:.0f} s")
        say(f"this run is {said_before(guard_of(self.command, self.place, environ, stopping))}")
        values = self._folder / "values"
        remember = RememberVariables(str(values), self._seal.key)
        traced = self._trace([remember], self.limits_s[0], stopping)
        for line in silent(traced.evidence):
            say(line)
        self.traced = traced
        self.first = ask(traced, self.allow, self.place)
        if stopping is None and not self.guard.yes:
            entries = AllowList(self._entries(), str(self.place))
            hold_to_servers(traced.evidence, traced.began_s, entries, self._folder / "servers")
        self.symptoms = () if traced.evidence.timed_out else symptoms_of(self.first)
        known = _values(values, self._folder, self._seal)
        self.plans = [plan(_case_of(one), findings_of(one), self._text_of, known) for one in self.symptoms]
        if self.symptoms or self.tests:
            self._keeper.first_run_is_over()
        self.timeout_s = self.limits_s[1] or max(60.0, 3 * traced.evidence.duration_s + 30)

    def announce(self) -> None:
        """Say what is about to be run."""
        if self.first.evidence.timed_out:
            say(f"ended at its time limit, after {self.first.evidence.duration_s:.0f} s: no re-run")
        stop = "are refused before their first statement (the kit only asks a server which one it is)"
        limits = f"each at most {self.timeout_s:.0f} s; connections off the allow-list " + (
            "go through" if self.guard.yes else stop
        )
        databases = " and ".join(self._keeper.databases)
        if databases and (self.tests or self.symptoms):
            say(f"before each run, what earlier runs wrote to {databases} is restored; nothing else should write "
            "there meanwhile")
        if self.tests:
            say(f"{_order_said(len(self.tests))}, {limits}")
            return
        for symptom, planned in zip(self.symptoms, self.plans, strict=True):
            likely, others = planned.ranked
            say(f"{symptom_said(symptom)}; {counted(len(likely), 'intervention')} to try:")
            for candidate in likely:
                say(f"  - run {candidate.label}")
            for candidate in (*others, *planned.last):
                say(f"  - if they do not suffice: {candidate.label}")
        if self.symptoms:
            say(f"at most {RUNS_AT_MOST} runs, {limits}")
            failed = {test for symptom in self.symptoms if symptom.failing for test in symptom.affected}
            if failed:
                say(f"  - if none of them explains it: {_order_said(min(len(failed), _TESTS_AT_MOST))}")

    def code_of_first(self) -> int:
        """The exit code where nothing is run again: 0 where nothing is wrong, 3 where something is or may be."""
        if self.first.evidence.timed_out or self.symptoms or not self.traced.evidence.processes:
            return _UNRESOLVED
        return 0 if nothing_wrong(self.first).status is Status.CLEAN else _UNRESOLVED

    def diagnose(self) -> Diagnosis:
        """Make the runs and say what they show."""
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
        if not self.allow and not self.guard.yes and not self._in_memory_else():
            return not_allowed(self.first, self.symptoms)
        if self.tests:
            return self._of_order(self.tests)
        found = []
        for symptom, planned in zip(self.symptoms, self.plans, strict=True):
            self._idle.clear()
            held = lambda one: one.interventions not in self._idle  # noqa: E731
            found.append(search(planned.ranked, partial(self._try, symptom), planned.last, held))
        for symptom, one in zip(self.symptoms, found, strict=True):
            self._try_diffs(symptom, one)
        diagnosis = concluded(self.first, self.symptoms, found, self.runs, self._project())
        if diagnosis.status is not Status.PROVED and all(symptom.failing for symptom in self.symptoms):
            failed = [test for symptom in self.symptoms for test in symptom.affected]
            return self._of_order(failed[:_TESTS_AT_MOST], diagnosis)
        return diagnosis

    def _try_diffs(self, symptom: Symptom, found: Found) -> None:
        """Run the command once with each diff that is to be printed applied in memory: no file is changed."""
        for candidate in (*found.needed, *found.also) if found.confirmed else ():
            edit = as_edit(candidate.fix)
            if edit is not None and len(self.runs) < RUNS_AT_MOST:
                file, first, last, text = edit
                self._run(symptom, (), (applied(candidate),), [EditModule(file, ((first, last, text),))])

    def _project(self) -> Project:
        environ = os.environ if self.environ is None else self.environ
        return Project(self.command, lambda name: name in environ, self._text_of, _settings_files(self.place))

    def _of_order(self, tests: Sequence[str], before: Diagnosis | None = None) -> Diagnosis:
        """Find what tests depend on that ran before them. What was seen `before` and not proved stays said."""
        found = [self._depends(test, tests) for test in tests]
        unproved = before.unproved if before is not None else ()
        return order.concluded(found, self.runs, unproved)

    def _depends(self, test: str, tests: Sequence[str]) -> Dependence:
        say(f"which tests does {test} depend on?")
        left = len(self.runs) + ORDER_RUNS_AT_MOST

        def again(label: str, interventions: Sequence[Intervention]) -> Evidence:
            if len(self.runs) >= left:
                raise OutOfRuns
            label = label if len(tests) == 1 else label.replace("the test", test, 1)
            say(f"run {len(self.runs) + 1}: {label}")
            evidence = self._rerun(interventions).evidence
            shown, reason = _ended(evidence, test)
            self.runs.append(Run((label,), shown, reason, evidence.duration_s))
            say(f"   {reason} ({evidence.duration_s:.1f} s)")
            return evidence

        return order.depends(self.first.evidence, test, again, self._folder / "state", self._seal, self.place,
                             self._keeper)  # fmt: skip

    def _in_memory_else(self) -> bool:
        """Whether something was reached rightly, and all of that lives in memory: then nothing needs to be allowed."""
        wrong = {identity for symptom in self.symptoms for identity in symptom.wrong}
        rightly = [database for database in self.first.databases if database.id not in wrong]
        return bool(rightly or not wrong) and all(not database.lives_on for database in rightly)

    def _try(self, symptom: Symptom, chosen: tuple[Candidate, ...]) -> Effect:
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
        if len(self.runs) >= RUNS_AT_MOST:
            raise OutOfRuns
        aside = f", {counted(len(symptom.apart), 'other test')} left out" if symptom.apart else ""
        say(f"run {len(self.runs) + 1}: {' and '.join(labels) or 'unchanged'}{aside}")
        apart = [LeaveOut(symptom.apart)] if symptom.apart else []
        try:
            traced = self._rerun([*interventions, *apart])
        except TraceError as error:  # an earlier run has taken away what the command needs
            self.runs.append(Run(labels, Effect.VOID, error.found, 0.0))
            say(f"   {Effect.VOID.shown}: {error.found}")
            return Effect.VOID
        left_out = _tests_left_out(symptom, chosen) | set(symptom.apart)
        shown, reason = effect(symptom, traced.evidence, frozenset(left_out), interventions)
        idle = _took_no_hold(traced, interventions)
        leave = _without_any_hold(traced, chosen, labels) if len(chosen) > 1 else ()
        if leave and len(leave) < len(chosen):  # the others made this run what it is
            self._idle |= {one.interventions for one in leave}
            reason = f"{reason}; without effect: {' and '.join(one.label for one in leave)}"
        elif idle:
            shown = Effect.VOID if shown is Effect.GONE else shown
            reason = f"the intervention had no effect ({idle}); {reason}"
        remedy = is_remedy(symptom, traced.evidence, shown)
        self.runs.append(Run(labels, shown, reason, traced.evidence.duration_s, remedy))
        say(f"   {shown.shown}: {reason} ({traced.evidence.duration_s:.1f} s)")
        return shown

    def _rerun(self, interventions: Sequence[Intervention]) -> Traced:
        """Run the command with interventions, kept from what is not allowed unless that was said to be in order."""
        stopping = None if self.guard.yes else self._stopping(AllowList(self._entries(), str(self.place)))
        gate = [] if stopping is None else [StopWhenRefused()]
        self._keeper.before_a_run()
        return self._trace([*interventions, *gate], self.timeout_s, stopping)

    def _stopping(self, entries: AllowList) -> Stopping:
        return Stopping(entries, self.guard.drivers, self._folder / "servers")

    def _trace(
        self, interventions: Sequence[Intervention], timeout_s: float | None, stopping: Stopping | None
    ) -> Traced:
        file = self._folder / "interventions"
        file.touch(0o600)
        # The last one, for what the others did is known by their number.
        told = [*interventions, TellOfDatabases(self._keeper.address, ".", self._seal.key)]
        text = json.dumps([one.placed(str(self.place)).as_json() for one in told])
        file.write_text(self._seal.sealed(text.replace(WORKSPACE, str(self._folder))), encoding="ascii")
        return trace(
            self.command, environ=self.environ, folder=self.place,
            extra={INTERVENTIONS_VARIABLE: f"{self._seal.key}:{file}"}, timeout_s=timeout_s, quiet=True,
            stopping=stopping,
        )  # fmt: skip

    def _text_of(self, file: str) -> str | None:
        try:
            return (self.place / file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def _entries(self) -> tuple[str, ...]:
        """The allow-list, with each way in which a server on it was asked for, and the files that only re-runs name."""
        from kit.probes.allow import entry_for_server

        found = [
            entry_for_server(configured, dict(observed) if observed is not None else None, peer)
            for database in self.first.databases
            if self.first.judged(database)
            for configured, observed, peer in database.asked
        ]
        return (*self.allow, *found, f"{self._folder / NOWHERE}*")


def _order_said(tests: int) -> str:
    each = f" for each of {tests} tests" if tests > 1 else ""
    return f"at most {ORDER_RUNS_AT_MOST} short runs{each}, to find which other tests it depends on"


def _settings_files(place: Path) -> tuple[str, ...]:
    """The project's files that may set variables for a shell, an editor or CI."""
    found = [*place.glob(".env*"), *place.glob("*.env"), *place.glob(".github/workflows/*.y*ml")]
    return tuple(sorted(str(path.relative_to(place)) for path in found if path.is_file()))


def _ended(evidence: Evidence, test: str) -> tuple[Effect, str]:
    outcome = outcomes_of(evidence).get(test, ("", ""))[0]
    if evidence.timed_out:
        return Effect.VOID, "it was ended at its time limit"
    if evidence.refusals:
        return Effect.VOID, f"{evidence.refusals[0].database}, which is not allowed, was refused"
    return _EFFECTS.get(outcome, Effect.VOID), f"it {outcome or 'did not run'}"


_EFFECTS = {"passed": Effect.GONE, "failed": Effect.STAYS}


def _case_of(symptom: Symptom) -> Case:
    return replace(the_case(symptom.first), leaks=symptom.leaks)


def _values(file: Path, folder: Path, seal: Seal) -> dict[tuple[str, str | None], str]:
    """What variables were set to, by name and what evidence shows; a database whose folder is gone gets another."""
    found: dict[tuple[str, str | None], str] = {}
    for line in file.read_bytes().splitlines() if file.is_file() else ():
        try:
            name, value, shown = msgspec.json.decode(seal.opened(line.decode("ascii")), type=tuple[str, str, str])
        except (msgspec.DecodeError, ValueError):  # cut where a process was killed, or no text
            continue
        found[name, shown] = _still_there(value, folder)
    return found


def _still_there(value: str, folder: Path) -> str:
    scheme, found, path = value.partition(":///")
    if os.path.isabs(value) and not Path(value).parent.is_dir():
        return str(folder / f"{NOWHERE}_{Path(value).name}")
    if not found or not scheme.startswith("sqlite") or Path(path.partition("?")[0]).parent.is_dir():
        return value
    return f"{scheme}:///{folder / NOWHERE}_{Path(path.partition('?')[0]).name}"


def _tests_left_out(symptom: Symptom, chosen: Sequence[Candidate]) -> frozenset[str]:
    names = {name for candidate in chosen for name in candidate.left_out}
    return frozenset(
        test for test in {*symptom.tests, *symptom.affected} if test in names or test.partition("::")[0] in names
    )


def _without_any_hold(
    traced: Traced, chosen: Sequence[Candidate], labels: Sequence[str]
) -> tuple[Candidate, ...]:
    """The candidates of a joint run none of whose interventions took hold. Those follow each other as these do."""
    held, number, found = {change.number for change in traced.evidence.changes}, 0, []
    for one, label in zip(chosen, labels, strict=True):
        made = one.interventions if label == one.label or not one.otherwise else one.otherwise
        if held.isdisjoint(range(number, number + len(made))):
            found.append(one)
        number += len(made)
    return tuple(found)


def _took_no_hold(traced: Traced, interventions: Sequence[Intervention]) -> str:
    held = {change.number for change in traced.evidence.changes}
    return next((one.op for number, one in enumerate(interventions) if number not in held), "")
