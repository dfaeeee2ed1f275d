"""The command's own work: trace, plan, announce, run, tell."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from kit.diagnose.candidate import NOWHERE, Candidate, Change, TextOf, Values
from kit.diagnose.conclusion import concluded, ended_at_limit, findings_of, not_allowed, nothing_wrong, symptom_said
from kit.diagnose.judge import Symptom, effect, symptoms_of, the_case
from kit.diagnose.plan import candidates, last_resort
from kit.diagnose.search import OutOfRuns, search
from kit.errors import TraceError
from kit.findings.answer import Answer
from kit.findings.case import Case
from kit.findings.databases import allowed
from kit.findings.diagnosis import Diagnosis, Effect, Run, Status
from kit.findings.model import counted
from kit.probes.allow import AllowList
from kit.probes.changes import CHANGES_VARIABLE
from kit.probes.gate import ALLOW_VARIABLE, allow_text
from kit.probes.redact import redact_command
from kit.probes.sealed import Seal, new_key
from kit.report.answer_text import github
from kit.report.diagnosis_text import text
from kit.trace import (
    NOT_GUARDED,
    Traced,
    ask,
    check,
    here,
    is_guarded,
    put,
    say,
    silent,
    trace,
    workspace,
    write,
)

RUNS_AT_MOST = 16
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
) -> int:
    """Trace a command, prove by further runs why the wrong database was reached, and tell it on standard output.

    Returns 0 where nothing is wrong, 1 where the cause is proved, 3 where it is not. Raises TraceError where the
    command cannot be run.
    """
    place = here()
    json, html = check(json, html)
    limits = timeout_first_s, timeout_s
    with _Experiments(tuple(command), tuple(allow), yes, limits, place) as experiments:
        experiments.begin()
        experiments.announce()
        if dry_run:
            return _UNRESOLVED if experiments.first.evidence.timed_out else 0
        diagnosis = experiments.diagnose()
        told = github(experiments.first) if format == "github" else text(experiments.first, diagnosis)
        put(told, sys.stdout)
        write(experiments.first, as_plain(diagnosis), json, html)
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
) -> tuple[Answer, Diagnosis]:
    """Trace a command in `folder`, prove by further runs what leads astray, and return both answers.

    `environ` is the command's environment, None for this process's own. The first run is ended after `timeout_first_s`,
    each further one after `timeout_s` (None: three times as long as the first took, and a little). Progress goes to
    standard error. Raises TraceError where the command cannot be run.
    """
    place = folder.resolve() if folder is not None else here()
    limits = timeout_first_s, timeout_s
    with _Experiments(tuple(command), tuple(allow), yes, limits, place, environ) as experiments:
        experiments.begin()
        experiments.announce()
        return experiments.first, experiments.diagnose()


def as_plain(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as plain values, as it is written to JSON."""
    return asdict(diagnosis)


@dataclass
class _Experiments:
    """The first run and what follows from it. Everything that is written lies in one folder, which goes at the end."""

    command: tuple[str, ...]
    allow: tuple[str, ...]
    yes: bool
    limits_s: tuple[float, float | None]  # of the first run, and of each further one
    place: Path
    environ: Mapping[str, str] | None = None
    runs: list[Run] = field(default_factory=list)

    def __enter__(self) -> _Experiments:
        self._closing = ExitStack()
        self._folder = self._closing.enter_context(workspace("kit-diagnose-"))
        self._seal = Seal(new_key())  # what a killed run leaves behind has passwords in it
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.close()

    def begin(self) -> None:
        """Run the command as it is, and see what is wrong."""
        allowed(self.allow, self.place)
        guarded = is_guarded(self.command, self.place, os.environ if self.environ is None else self.environ)
        unguarded = "" if guarded else f", {NOT_GUARDED}"
        command = shlex.join(redact_command(self.command))
        say(f"running {command} as it is, at most {self.limits_s[0]:.0f} s{unguarded}")
        values = self._folder / "values"
        remember = {"op": "remember", "file": str(values), "key": self._seal.key}
        traced = self._trace([remember], self.limits_s[0], gate=False)
        for line in silent(traced.evidence):
            say(line)
        self.traced = traced
        self.first = ask(traced, self.allow, self.place)
        self.symptoms = () if traced.evidence.timed_out else symptoms_of(self.first)
        known = _values(values, self._folder, self._seal)
        self.ranked = [_ranked(symptom, self._text_of, known) for symptom in self.symptoms]
        self.last = [_last(symptom, self._text_of, known) for symptom in self.symptoms]
        self.timeout_s = self.limits_s[1] or max(60.0, 3 * traced.evidence.duration_s + 30)

    def announce(self) -> None:
        """Say what is about to be run."""
        if self.first.evidence.timed_out:
            say(f"ended at its time limit, after {self.first.evidence.duration_s:.0f} s: nothing is run again")
        for symptom, (likely, others), last in zip(self.symptoms, self.ranked, self.last, strict=True):
            say(f"{symptom_said(symptom)}; {counted(len(likely), 'suspect')}:")
            for candidate in likely:
                say(f"  - run {candidate.label}")
            for candidate in (*others, *last):
                say(f"  - if that is not enough: {candidate.label}")
        if self.symptoms:
            stops = "go on" if self.yes else "stop before their first statement (the kit asks a server which it is)"
            say(
                f"at most {RUNS_AT_MOST} runs, each at most {self.timeout_s:.0f} s; at a database that is not allowed "
                f"they {stops}"
            )

    def diagnose(self) -> Diagnosis:
        """Make the runs and say what they show."""
        if not self.traced.evidence.processes:
            lost = "The record is lost" if self.traced.evidence.problems else ""
            return Diagnosis(
                Status.UNRESOLVED,
                f"{lost or 'No probe reported'}, so nothing is known.",
                unproved=tuple(silent(self.traced.evidence)),
            )
        if self.first.evidence.timed_out:
            return ended_at_limit(self.first)
        if not self.symptoms:
            return nothing_wrong(self.first)
        if not self.allow and not self.yes and not self._in_memory_else():
            return not_allowed(self.first, self.symptoms)
        found = []
        for symptom, ranked, last in zip(self.symptoms, self.ranked, self.last, strict=True):
            found.append(search(ranked, partial(self._try, symptom), last))
        return concluded(self.first, self.symptoms, found, self.runs)

    def _in_memory_else(self) -> bool:
        """Whether something was reached rightly, and all of that lives in memory: then nothing needs to be allowed."""
        wrong = {identity for symptom in self.symptoms for identity in symptom.wrong}
        rightly = [database for database in self.first.databases if database.id not in wrong]
        return bool(rightly) and all(not database.lives_on for database in rightly)

    def _try(self, symptom: Symptom, chosen: tuple[Candidate, ...]) -> Effect:
        changes = [change for candidate in chosen for change in candidate.changes]
        shown = self._run(symptom, chosen, tuple(candidate.label for candidate in chosen), changes)
        if shown is not Effect.VOID or not any(candidate.otherwise for candidate in chosen):
            return shown
        labels = tuple(candidate.otherwise_label or candidate.label for candidate in chosen)
        return self._run(
            symptom, chosen, labels, [change for one in chosen for change in one.otherwise or one.changes]
        )

    def _run(
        self,
        symptom: Symptom,
        chosen: tuple[Candidate, ...],
        labels: tuple[str, ...],
        changes: Sequence[Change],
    ) -> Effect:
        if len(self.runs) >= RUNS_AT_MOST:
            raise OutOfRuns
        aside = f", {counted(len(symptom.apart), 'other test')} left out" if symptom.apart else ""
        say(f"run {len(self.runs) + 1}: {' and '.join(labels) or 'nothing changed'}{aside}")
        apart: list[Change] = [{"op": "leave-out", "tests": list(symptom.apart)}] if symptom.apart else []
        try:
            traced = self._trace([*changes, *apart], self.timeout_s, gate=not self.yes)
        except TraceError as error:  # an earlier run has taken away what the command needs
            self.runs.append(Run(labels, Effect.VOID, error.found, 0.0))
            say(f"   {Effect.VOID}: {error.found}")
            return Effect.VOID
        left_out = _tests_left_out(symptom, chosen) | set(symptom.apart)
        shown, reason = effect(symptom, traced.evidence, frozenset(left_out), changes)
        idle = _took_no_hold(traced, changes)
        if idle:
            shown = Effect.VOID if shown is Effect.GONE else shown
            reason = f"the change did not take hold ({idle}); {reason}"
        self.runs.append(Run(labels, shown, reason, traced.evidence.duration_s))
        say(f"   {shown}: {reason} ({traced.evidence.duration_s:.1f} s)")
        return shown

    def _trace(self, changes: Sequence[Change], timeout_s: float | None, gate: bool) -> Traced:
        file = self._folder / "changes"
        file.touch(0o600)
        placed = [self._placed(change) for change in changes]
        text = json.dumps([*placed, {"op": "stop"}] if gate else placed)
        file.write_text(self._seal.sealed(text.replace("{workspace}", str(self._folder))), encoding="ascii")
        extra = {CHANGES_VARIABLE: f"{self._seal.key}:{file}"}
        if gate:
            extra[ALLOW_VARIABLE] = allow_text(AllowList(self._entries(), str(self.place)))
        return trace(
            self.command, environ=self.environ, folder=self.place, extra=extra, timeout_s=timeout_s, quiet=True
        )

    def _placed(self, change: Change) -> Change:
        """A change with its files named whole: the command may go elsewhere."""
        keys = [key for key in ("file", "engine_file", "made_file", "folder") if change.get(key)]
        named: dict[str, Any] = {key: str(self.place / change[key]) for key in keys}
        if "frames" in change:
            named["frames"] = [[str(self.place / file), line] for file, line in change["frames"]]
        files = {"files": [str(self.place / file) for file in change["files"]]} if "files" in change else {}
        return {**change, **named, **files}

    def _text_of(self, file: str) -> str | None:
        try:
            return (self.place / file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def _entries(self) -> tuple[str, ...]:
        """The allow-list, with every way in which a server on it was asked for."""
        from kit.probes.allow import entry_for_server

        found = [
            entry_for_server(configured, dict(observed) if observed is not None else None, peer)
            for database in self.first.databases
            if self.first.judged(database)
            for configured, observed, peer in database.asked
        ]
        return (*self.allow, *found)


def _ranked(symptom: Symptom, text_of: TextOf, values: Values) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
    """The candidates of the symptom's findings, one for each, and then all others."""
    case, mine = _case_of(symptom), findings_of(symptom)
    likely: dict[tuple[str, str | None, int | None], Candidate] = {}
    direct = {finding.message for finding in mine}
    found = candidates(case, mine, text_of, values)
    for candidate in found:
        if candidate.what in direct:
            likely.setdefault((candidate.kind, candidate.file, candidate.line), candidate)
    rest = tuple(candidate for candidate in found if candidate not in likely.values())
    return (tuple(likely.values()), rest) if likely else (rest, ())


def _last(symptom: Symptom, text_of: TextOf, values: Values) -> tuple[Candidate, ...]:
    return last_resort(_case_of(symptom), findings_of(symptom), text_of, values)


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


def _took_no_hold(traced: Traced, changes: Sequence[Change]) -> str:
    held = {change.number for change in traced.evidence.changes}
    return next((changes[number]["op"] for number in range(len(changes)) if number not in held), "")
