"""From findings to experiments: for each, the one thing to change, and what to do about it where it is proved. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kit.diagnose.statements import Statement, statement_at
from kit.evidence import Evidence, Frame
from kit.findings.case import Case, Leak, tests_said
from kit.findings.model import Finding
from kit.findings.openers import culprit
from kit.findings.sources import named_in_files, origin_of, parts_of
from kit.findings.table import HOW_REACHED

Change = dict[str, Any]
NOWHERE = "kit_nowhere"  # stands in a place that only an experiment names
Values = Mapping[tuple[str, str | None], str]  # a variable's name and value as evidence shows it -> the value itself
TextOf = Callable[[str], str | None]  # a file's text, by the name that evidence gives it; None where it has none


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing to change. `label` says it as a person would ("without ..."), `fix` what to do if it is the cause.

    `left_out` are files and tests that the change takes out of the run. `otherwise` are changes to the same end, with a
    label of their own, for when the program cannot run with these.
    """

    kind: str
    label: str
    what: str
    file: str | None
    line: int | None
    changes: tuple[Change, ...]
    fix: str
    left_out: tuple[str, ...] = ()
    otherwise: tuple[Change, ...] = ()
    otherwise_label: str = ""

    @property
    def key(self) -> str:
        """What tells this change from another."""
        return repr(self.changes)


def candidates(
    case: Case,
    findings: tuple[Finding, ...],
    text_of: TextOf,
    values: Values,
) -> tuple[Candidate, ...]:
    """Every experiment that the evidence suggests, the likeliest first. `values` are what variables were set to."""
    found: dict[str, Candidate] = {}
    plan = _Plan(case, text_of, values, findings)
    direct = [candidate for finding in findings for candidate in plan.for_finding(finding)]
    general = [candidate for leak in case.leaks for candidate in plan.for_leak(leak)]
    for candidate in (*direct, *general):
        found.setdefault(candidate.key, candidate)
    return tuple(found.values())


def last_resort(
    case: Case, findings: tuple[Finding, ...], text_of: TextOf, values: Values
) -> tuple[Candidate, ...]:
    """What is left to try, one for each engine that leads astray, where nothing that the evidence suggests decides."""
    plan = _Plan(case, text_of, values, findings)
    led = [candidate for leak in case.leaks for candidate in plan.last_resort(leak)]
    return tuple({candidate.key: candidate for candidate in led}.values())


class _Plan:
    def __init__(self, case: Case, text_of: TextOf, values: Values, findings: tuple[Finding, ...]) -> None:
        self._case, self._text_of, self._values, self._findings = case, text_of, values, findings

    def for_finding(self, finding: Finding) -> Iterator[Candidate]:
        makers: dict[str, Callable[[Finding], Iterator[Candidate]]] = {
            "duplicate-module-import": self._rekeyed,
            "override-key-stale": self._rekeyed,
            "override-key-unmatched": self._rekeyed,
            "override-on-wrong-app": self._applied,
            "route-without-provider": self._applied,
            "override-cleared-by-other-test": self._kept,
            "override-leaked": self._without_test,
            "dependency-called-directly": self._redirected,
            "dependency-not-overridden": self._supplied_elsewhere,
            "background-task-session": self._without_task,
            "lifespan-engine": self._without_lifespan,
            "import-time-engine": self._without_statement,
            "collection-time-import": self._without_module,
            "env-set-too-late": self._in_time,
            "variable-precedence": self._without_variable,
            "variable-inherited": self._without_variable,
            "variable-set-wrong": self._set_otherwise,
            "variable-not-asked-for": self._under_its_name,
            "dotenv-precedence": self._without_file,
            "settings-file": self._without_file,
            "configured-by-the-tests": self._without_statement,
            "connected-elsewhere": self._as_named,
            "variable-missing": self._set_elsewhere,
            "environment-not-handed-on": self._handed_on,
            "memory-database-each": self._one_in_memory,
            "working-directory-changed": self._folder_restored,
            "from-import-early-binding": self._copies,
            "global-engine-rebound-not-restored": self._without_test,
            "event-loop-bound-pool": self._without_pool,
            "session-uncommitted": self._committed,
            "no-separate-test-db": self._elsewhere,
            "opened-by-the-tests": self._without_tests,
        }
        if finding.kind in makers:
            yield from makers[finding.kind](finding)

    def for_leak(self, leak: Leak) -> Iterator[Candidate]:
        """What may be tried for any leak, whichever finding there is."""
        overridden = bool(self._case.evidence.overrides)
        if overridden:
            yield from self._session_elsewhere(leak)
        if leak.first.how in _OF_ITSELF and not _opens_a_session(self._case.evidence, leak):
            yield from self.last_resort(leak)
        yield from self._variables(leak)
        yield from self._own_modules(leak)
        if leak.engine is not None:
            yield from self._collected_alone(leak)
            yield from self._made_by_the_way(leak)
        if not overridden:
            yield from self._session_elsewhere(leak)
        if self._lifespan_ran(leak):
            yield self._no_lifespan(leak)

    def last_resort(self, leak: Leak) -> Iterator[Candidate]:
        """What works wherever a leak comes from an engine, or a connection, of the application's own."""
        entry = leak.engine if leak.engine is not None else leak.first.connection
        chain = self._case.evidence.chain(entry)
        frames = [frame for frame in chain if not self._case.of_tests(frame.file)][:4]
        if not frames or frames[0].file.startswith("site-packages"):
            return
        meant, made = self._engine_of_tests(), "engine" if leak.engine is not None else "connection"
        finding = self._finding_on(leak)
        yield Candidate(
            finding.kind if finding else _kind_of(leak, "engine-not-replaced"),
            f"with the {made} of {frames[0].file}:{frames[0].line} led elsewhere",
            finding.message if finding else f"{frames[0].file}:{frames[0].line} leads to {leak.database.name}.",
            finding.file if finding else frames[0].file,
            finding.line if finding else frames[0].line,
            (
                {
                    "op": "lead-elsewhere",
                    "frames": [[frame.file, frame.line] for frame in frames],
                    "engine_file": meant.file if meant else None,
                    "engine_line": meant.line if meant else None,
                    "nowhere": "{workspace}/" + NOWHERE,
                },
            ),
            (self._fix(finding) if finding else "") or f"Let the tests put one of their own in place of {frames[0]}.",
        )

    def _finding_on(self, leak: Leak) -> Finding | None:
        """The finding that tells how a leak was reached; none that tells why, which this does not prove."""
        told = [finding for finding in self._findings if finding.kind in HOW_REACHED]
        mine = [finding for finding in told if leak.database.id in finding.databases]
        return next((finding for finding in mine if set(leak.tests) <= set(finding.tests)), None)

    def _made_by_the_way(self, leak: Leak) -> Iterator[Candidate]:
        """A statement that led to the engine, and whose value nobody takes: nothing else depends on it."""
        assert leak.engine is not None
        early = leak.engine.phase in ("configure", "collection", "start")
        for frame in self._case.evidence.chain(leak.engine)[1:]:
            statement = self._statement(frame.file, frame.line)
            if statement is None or not statement.by_the_way or self._case.of_tests(frame.file):
                continue
            yield Candidate(
                "import-time-engine" if early else "engine-made-early",
                f"without {frame.file}:{statement.first} `{' '.join(statement.text.split())}`",
                f"{frame.file}:{statement.first} makes the engine of {leak.database.name} "
                f"({leak.engine.phase}), and what holds it is kept.",
                frame.file,
                statement.first,
                ({"op": "edit", "file": frame.file, "lines": [list(statement.left_out)]},),
                _diff(frame.file, statement.first, statement.text, ""),
            )

    # --- overrides ---------------------------------------------------------------------------------------------------

    def _rekeyed(self, finding: Finding) -> Iterator[Candidate]:
        key, to = finding.told("key"), finding.told("to") or self._supplied_by(finding)
        if not to:
            return
        yield Candidate(
            finding.kind,
            f"with the override of {key} applied to {to}",
            finding.message,
            finding.file,
            finding.line,
            ({"op": "apply-override", "key": key, "to": to},),
            self._import_fix(finding, key, to),
        )

    def _supplied_by(self, finding: Finding) -> str:
        """The dependency through which a leak was opened that a finding is about; "" where there is none."""
        return next(
            (
                leak.first.dependency.name
                for leak in self._case.leaks
                if leak.database.id in finding.databases and leak.first.dependency and leak.first.override is None
            ),
            "",
        )

    def _import_fix(self, finding: Finding, key: str, to: str) -> str:
        (module, _, name), (wanted, _, other) = key.rpartition("."), to.rpartition(".")
        source = self._text_of(finding.file or "") or "" if name == other else ""
        for number, line in enumerate(source.splitlines(), 1):
            if module != wanted and line.split()[:2] in (["from", module], ["import", module]):
                return _diff(finding.file, number, line, line.replace(module, wanted, 1))
        if key == to:
            return f"Import the very object that stands in Depends(...) and override that, not another {key}."
        return f"Override {to}, the object that stands in Depends(...), instead of {key}."

    def _applied(self, finding: Finding) -> Iterator[Candidate]:
        key = finding.told("key")
        yield Candidate(
            finding.kind,
            f"with the override of {key} applied in every application",
            finding.message,
            finding.file,
            finding.line,
            ({"op": "apply-override", "key": key, "to": key},),
            f"Let {finding.told('made')} add the route itself (add_api_route, a decorator, include_router), not as an "
            "APIRoute made by hand: only for what the application adds are its overrides looked up."
            if finding.told("provider")
            else f"Set the override of {key} on the application that serves the request (the mounted one, or the one "
            f"that the test's client was given), not on the one at {finding.where}.",
        )

    def _kept(self, finding: Finding) -> Iterator[Candidate]:
        yield from self._without_statement(finding)
        yield from self._without_test(finding)

    def _without_test(self, finding: Finding) -> Iterator[Candidate]:
        test = finding.told("test")
        if test:
            yield Candidate(
                finding.kind,
                f"without {test}",
                finding.message,
                finding.file,
                finding.line,
                ({"op": "leave-out", "tests": [test]},),
                self._fix(finding),
                (test,),
            )

    def _without_tests(self, finding: Finding) -> Iterator[Candidate]:
        if finding.tests:
            yield Candidate(
                finding.kind,
                f"without {tests_said(finding.tests)}",
                finding.message,
                finding.file,
                finding.line,
                ({"op": "leave-out", "tests": list(finding.tests)},),
                self._fix(finding),
                finding.tests,
            )

    def _redirected(self, finding: Finding) -> Iterator[Candidate]:
        name = finding.told("callable")
        if name:
            yield Candidate(
                finding.kind,
                f"with plain calls of {name} led to its override",
                finding.message,
                finding.file,
                finding.line,
                ({"op": "redirect-call", "callable": name},),
                self._fix(finding),
            )

    # --- statements --------------------------------------------------------------------------------------------------

    def _without_statement(self, finding: Finding) -> Iterator[Candidate]:
        statement = self._statement(finding.file, finding.line)
        if statement is not None and finding.file is not None:
            yield self._leaving_out(finding, finding.file, statement)

    def _leaving_out(self, finding: Finding, file: str, statement: Statement) -> Candidate:
        return Candidate(
            finding.kind,
            f"without {file}:{statement.first} `{' '.join(statement.text.split())}`",
            finding.message,
            file,
            statement.first,
            ({"op": "edit", "file": file, "lines": [list(statement.left_out)]},),
            self._fix(finding) or _diff(file, statement.first, statement.text, ""),
        )

    def _statement(self, file: str | None, line: int | None) -> Statement | None:
        source = self._text_of(file) if file else None
        return statement_at(source, line) if source is not None and line else None

    # --- what runs by itself -----------------------------------------------------------------------------------------

    def _without_task(self, finding: Finding) -> Iterator[Candidate]:
        function = finding.told("function")
        yield Candidate(
            finding.kind,
            f"without the background task {function}",
            finding.message,
            finding.file,
            finding.line,
            ({"op": "no-background", "function": function},),
            self._fix(finding),
        )

    def _without_lifespan(self, finding: Finding) -> Iterator[Candidate]:
        yield from self._without_statement(finding)
        yield Candidate(
            finding.kind,
            "without the application's lifespan",
            finding.message,
            finding.file,
            finding.line,
            ({"op": "no-lifespan"},),
            self._fix(finding),
        )
        for leak in self._case.leaks:  # an application can need its lifespan to run at all
            if finding.told("replaced") and leak.database.id in finding.databases:
                yield from self.last_resort(leak)

    def _lifespan_ran(self, leak: Leak) -> bool:
        return any(
            request.type == "lifespan" and request.at_s <= leak.first.entry.at_s
            for request in self._case.evidence.requests
        )

    def _no_lifespan(self, leak: Leak) -> Candidate:
        opener = leak.opener
        return Candidate(
            "lifespan-engine",
            "without the application's lifespan",
            f"The lifespan of the application, which runs when the client is entered, leads to {leak.database.name}.",
            opener.file if opener else None,
            opener.line if opener else None,
            ({"op": "no-lifespan"},),
            "Let the lifespan take its database from the application's settings, which tests can change, or use the "
            "client without `with`, so that no lifespan runs.",
        )

    # --- variables ---------------------------------------------------------------------------------------------------

    def _in_time(self, finding: Finding) -> Iterator[Candidate]:
        name = finding.told("variable")
        value = self._values.get((name, finding.told("value")))
        if value is not None:
            yield Candidate(
                finding.kind,
                f"with {name} set before anything is imported",
                finding.message,
                finding.file,
                finding.line,
                ({"op": "set", "name": name, "value": value},),
                self._fix(finding) + _or_emptied(finding.told("kept_by")),
            )

    def _without_variable(self, finding: Finding) -> Iterator[Candidate]:
        name = finding.told("variable")
        if name:
            yield self._unset(finding.kind, name, finding.message, finding.file, finding.line, self._fix(finding))

    def _unset(self, kind: str, name: str, what: str, file: str | None, line: int | None, fix: str) -> Candidate:
        value = self._inherited(name)
        return Candidate(
            kind,
            f"without the variable {name}",
            what,
            file,
            line,
            ({"op": "unset", "name": name},),
            fix,
            otherwise=({"op": "set", "name": name, "value": another(value)},) if value else (),
            otherwise_label=f"with {name} naming another database",
        )

    def _inherited(self, name: str) -> str:
        return next(
            (
                event.value or ""
                for event in self._case.evidence.variables
                if event.op == "inherited" and event.name == name
            ),
            "",
        )

    def _set_otherwise(self, finding: Finding) -> Iterator[Candidate]:
        name, value = finding.told("variable"), finding.told("value")
        pinned: Change = {"op": "pin", "name": name, "value": another(value)}
        for candidate in self._without_statement(finding):
            yield replace(
                candidate, otherwise=(pinned,), otherwise_label=f"with {name} naming another database throughout"
            )

    def _under_its_name(self, finding: Finding) -> Iterator[Candidate]:
        name, wanted = finding.told("variable"), finding.told("wanted")
        value = self._values.get((name, finding.told("value")))
        if value is not None:
            yield Candidate(
                finding.kind,
                f"with {wanted} set to what {name} is set to",
                finding.message,
                finding.file,
                finding.line,
                ({"op": "set", "name": wanted, "value": value},),
                self._renamed(finding, name, wanted),
            )

    def _renamed(self, finding: Finding, name: str, wanted: str) -> str:
        line = self._line(finding.file, finding.line)
        if finding.line and name in line:
            return _diff(finding.file, finding.line, line, line.replace(name, wanted))
        return self._fix(finding)

    def _line(self, file: str | None, line: int | None) -> str:
        lines = (self._text_of(file or "") or "").splitlines()
        return lines[line - 1] if line and line <= len(lines) else ""

    def _without_file(self, finding: Finding) -> Iterator[Candidate]:
        if finding.told("loads"):
            yield from self._without_statement(finding)
        name, file = finding.told("variable"), finding.told("file")
        changed = self._changed_line(file, int(finding.told("number") or 0), finding.told("value")) if file else None
        away: Change = {"op": "no-dotenv", "names": [name.upper()], **({"file": file} if file else {})}
        holds_variables = not file or ".env" in file.rpartition("/")[2] or file.endswith("env")
        if not holds_variables and changed is None:
            return
        yield Candidate(
            finding.kind,
            f"without {name} from {file or 'files of variables'}" if holds_variables else _another_in(name, file),
            finding.message,
            finding.file,
            finding.line,
            (away if holds_variables or changed is None else changed,),
            self._fix(finding),
            otherwise=(changed,) if holds_variables and changed is not None else (),
            otherwise_label=_another_in(name, file),
        )

    def _changed_line(self, file: str, number: int, value: str) -> Change | None:
        """The line of a settings file, naming a database that is not there."""
        line = self._line(file, number)
        if not value or value not in line:  # a password stands in it, which evidence does not show
            return None
        return {"op": "edit-data", "file": file, "lines": [[number, number, line.replace(value, another(value))]]}

    def _set_elsewhere(self, finding: Finding) -> Iterator[Candidate]:
        name, url = finding.told("variable"), finding.told("url")
        whole = re.search(r"(?i)ur[il]|dsn", name) is not None
        path = f"{{workspace}}/{NOWHERE}"
        values = (nowhere(url), path) if whole else (path, nowhere(url))
        first, second = values if not url or url.startswith("sqlite") else (nowhere(url) if whole else NOWHERE, "")
        yield Candidate(
            finding.kind,
            f"with {name} naming another database",
            finding.message,
            finding.file,
            finding.line,
            ({"op": "set", "name": name, "value": first or second},),
            self._fix(finding),
            otherwise=({"op": "set", "name": name, "value": second},) if second else (),
            otherwise_label=f"with {name} naming another file",
        )

    def _handed_on(self, finding: Finding) -> Iterator[Candidate]:
        name = finding.told("variable")
        yield Candidate(
            finding.kind,
            f"with {name} handed on to processes that are started",
            finding.message,
            finding.file,
            finding.line,
            ({"op": "hand-on", "name": name},),
            self._fix(finding),
        )

    def _one_in_memory(self, finding: Finding) -> Iterator[Candidate]:
        yield Candidate(
            finding.kind,
            "with one connection for all that is in memory",
            finding.message,
            finding.file,
            finding.line,
            ({"op": "one-in-memory"},),
            self._fix(finding),
        )

    def _as_named(self, finding: Finding) -> Iterator[Candidate]:
        yield Candidate(
            finding.kind,
            "with engines connecting to where their URLs lead",
            finding.message,
            finding.file,
            finding.line,
            ({"op": "no-creator"},),
            self._fix(finding),
        )

    def _elsewhere(self, finding: Finding) -> Iterator[Candidate]:
        name, url = finding.told("variable"), finding.told("url")
        value = nowhere(url) if finding.told("whole") or not url else NOWHERE
        if name and value:
            yield Candidate(
                finding.kind,
                f"with {name} naming another database",
                finding.message,
                finding.file,
                finding.line,
                ({"op": "set", "name": name, "value": value},),
                self._fix(finding),
            )

    def _variables(self, leak: Leak) -> Iterator[Candidate]:
        """What the place of a leak came from: a file of variables, or a variable that was there at the start."""
        source = origin_of(self._case.evidence, leak.first)
        for file, line, name, value in named_in_files(self._case.evidence, leak.engine) if leak.engine else ():
            changed = self._changed_line(file, line, value or "")
            yield Candidate(
                "dotenv-precedence",
                f"without {name} from {file}",
                f"{name} in {file}:{line} leads to {leak.database.name}{self._read_at(file)}.",
                file,
                line,
                ({"op": "no-dotenv", "names": [name.upper()], "file": file},),
                f"Let the tests' settings read another file than {file}, or set {name} in the environment, "
                "which goes first.",
                otherwise=(changed,) if changed is not None else (),
                otherwise_label=_another_in(name, file),
            )
        if source.variable is None:
            yield from self._parts(leak)
        if source.variable is None or source.written is None or source.written.op != "inherited":
            return
        made = self._case.evidence.chain(leak.engine or leak.first.connection)
        frame = made[0] if made else None
        yield self._unset(
            "variable-inherited",
            source.variable,
            f"{source.variable}, inherited from what started the command, holds the URL of {leak.database.name}.",
            frame.file if frame else None,
            frame.line if frame else None,
            f"Do not set {source.variable} where the tests run, or set it to the test database there.",
        )

    def _read_at(self, file: str) -> str:
        opened = next((event for event in self._case.evidence.settings_files if event.file == file), None)
        chain = self._case.evidence.chain(opened) if opened is not None else ()
        return f", and is read at {chain[0].file}:{chain[0].line}" if chain else ""

    def _parts(self, leak: Leak) -> Iterator[Candidate]:
        """The host, or else the port, that the place was put together of, where the tests have not set it."""
        made = leak.engine or leak.first.connection
        url = leak.engine.url if leak.engine is not None else leak.first.connection.configured
        parts = parts_of(self._case.evidence, made, url)
        event = parts.get("host") or parts.get("port")
        if event is None or self._case.done_by_tests(event):
            return
        at = next(iter(self._case.evidence.chain(event) or self._case.evidence.chain(made)), None)
        held = ", ".join(f"{part} from {one.name}={one.value}" for part, one in parts.items())
        yield Candidate(
            "variable-missing" if event.op == "missing" else "variable-inherited",
            f"with {event.name} naming another server",
            f"The place of {leak.database.name} is put together of parts ({held}), and the tests set no other "
            f"{event.name}.",
            at.file if at else None,
            at.line if at else None,
            ({"op": "set", "name": event.name, "value": NOWHERE if event is parts.get("host") else "1"},),
            f"Set {event.name}, too, to that of the test server, before the application asks for it.",
        )

    # --- folders -----------------------------------------------------------------------------------------------------

    def _folder_restored(self, finding: Finding) -> Iterator[Candidate]:
        if not finding.told("test"):
            yield from self._without_statement(finding)
            return
        yield Candidate(
            finding.kind,
            "with the working directory put back after each test",
            finding.message,
            finding.file,
            finding.line,
            ({"op": "restore-folder"},),
            self._fix(finding),
        )

    # --- modules -----------------------------------------------------------------------------------------------------

    def _without_module(self, finding: Finding) -> Iterator[Candidate]:
        module = finding.told("module")
        if module:
            yield self._leave_out(finding.kind, module, finding.message, finding.line, self._fix(finding))
        yield from self._in_time(finding)

    def _leave_out(self, kind: str, module: str, what: str, line: int | None, fix: str) -> Candidate:
        return Candidate(
            kind,
            f"without collecting {module}",
            what,
            module,
            line,
            ({"op": "leave-out", "files": [module]},),
            fix,
            (module,),
        )

    def _collected_alone(self, leak: Leak) -> Iterator[Candidate]:
        """The engine was made while another test module was collected."""
        engine, own = leak.engine, {test.partition("::")[0] for test in leak.tests}
        if engine is None or engine.phase != "collection" or engine.collecting is None:
            return
        module = engine.collecting.partition("::")[0]
        others = {outcome.test.partition("::")[0] for outcome in self._case.evidence.outcomes} - {module}
        if module not in own and module.endswith(".py") and self._case.of_tests(module) and others:
            yield self._leave_out(
                "collection-time-import",
                module,
                f"{module} makes the engine while it is collected.",
                None,
                f"Import the application inside the tests or fixtures of {module}, not at its top.",
            )

    def _own_modules(self, leak: Leak) -> Iterator[Candidate]:
        """A file of the leak was loaded from one folder, while its like lies where the project's modules are."""
        made = self._case.evidence.chain(leak.engine or leak.first.connection)
        for frame in (*made[:1], *leak.first.chain[:1]):
            for folder, own in self._namesakes(frame.file):
                yield Candidate(
                    "module-from-elsewhere",
                    f"with {folder or 'the folder of the command'} first on the path of modules",
                    f"{frame.file} is loaded as the module of its name, and not {own}: the path of modules "
                    f"(PYTHONPATH, and how pytest is started) decides. It leads to {leak.database.name}.",
                    frame.file,
                    frame.line,
                    ({"op": "path-first", "folder": folder},),
                    f"Let the tests import {own}: set pythonpath = {folder or '.'} in pytest's configuration (or run "
                    "python -m pytest), and take the other folder out of PYTHONPATH.",
                )
                return

    def _namesakes(self, file: str) -> Iterator[tuple[str, str]]:
        """Other files of the project that could be the same module: the folder to start from, and the file."""
        parts = file.split("/")
        for number in range(1, len(parts) - 1):
            for folder in ("", "src"):
                own = "/".join([*([folder] if folder else []), *parts[number:]])
                if own != file and not self._case.of_tests(own) and self._text_of(own) is not None:
                    yield folder, own

    # --- names, pools, transactions ----------------------------------------------------------------------------------

    def _copies(self, finding: Finding) -> Iterator[Candidate]:
        module, name, bound = finding.told("module"), finding.told("name"), finding.told("bound")
        if module:
            yield Candidate(
                finding.kind,
                f"with copies of {module}.{name} following it",
                finding.message,
                finding.file,
                finding.line,
                ({"op": "rebind-copies", "module": module, "name": name},),
                f"Where the tests replace {module}.{name}, replace {bound} too, or bind it anew (configure(bind=...))."
                if bound
                else self._fix(finding),
            )

    def _without_pool(self, finding: Finding) -> Iterator[Candidate]:
        yield Candidate(
            finding.kind,
            "without connection pools",
            finding.message,
            finding.file,
            finding.line,
            ({"op": "no-pool"},),
            self._fix(finding),
        )

    def _committed(self, finding: Finding) -> Iterator[Candidate]:
        yield Candidate(
            finding.kind,
            f"with a commit after {finding.where}",
            finding.message,
            finding.file,
            finding.line,
            ({"op": "commit", "file": finding.file, "line": finding.line},),
            self._fix(finding),
        )

    def _session_elsewhere(self, leak: Leak) -> Iterator[Candidate]:
        """The session that was opened on the leak, bound to the engine that the tests use instead."""
        meant, opener = self._engine_of_tests(), leak.opener
        through_one = leak.first.how in ("dependency", "override")
        if through_one or not _opens_a_session(self._case.evidence, leak):
            return
        if meant is None or opener is None or leak.engine is None:
            return
        astray = culprit(self._case, leak) or opener
        overridden = bool(self._case.evidence.overrides)
        there = "the dependency that the tests override" if overridden else "what the tests put there"
        yield Candidate(
            _kind_of(leak),
            f"with the session of {opener.file}:{opener.line} on the tests' engine",
            f"{opener.file}:{opener.line} opens a session of its own on {leak.database.name}, past {there}: "
            f"{self._case.leads(leak.first.chain[:4])}.",
            astray.file,
            astray.line,
            (_redirected_session(opener, meant),),
            self._past_fix(leak, astray, opener),
        )

    def _past_fix(self, leak: Leak, astray: Frame, opener: Frame) -> str:
        where = f"{astray.file}:{astray.line}"
        if leak.first.how == "middleware":
            return _ADVICE["middleware-session"].format(where=where)
        down = "" if astray == opener else f" (hand it down as an argument to {opener.file}:{opener.line})"
        if leak.first.how == "past the dependencies":
            return f"At {where} go by what the dependency supplies{down}, so that the override reaches it."
        return (
            f"At {where} no dependency is supplied: take the factory of sessions from what tests can set (app.state, "
            f"an argument, the module's attribute at the time of the call){down}."
        )

    def _supplied_elsewhere(self, finding: Finding) -> Iterator[Candidate]:
        """The session that a dependency opened, bound to the engine that the tests use instead."""
        meant = self._engine_of_tests()
        for leak in self._case.leaks:
            if meant and leak.opener and leak.opener.line == finding.line and leak.opener.file == finding.file:
                yield Candidate(
                    finding.kind,
                    f"with the session of {finding.where} on the tests' engine",
                    finding.message,
                    finding.file,
                    finding.line,
                    (_redirected_session(leak.opener, meant),),
                    self._fix(finding),
                )
                return

    def _engine_of_tests(self) -> Frame | None:
        """Where the engine was made that overrides, or else the tests themselves, use and that is in order."""
        wrong = {leak.database.id for leak in self._case.leaks}
        rightly = [reach for reach in self._case.reached if reach.database.id not in wrong and reach.engine is not None]
        ranked = sorted(rightly, key=lambda reach: reach.how != "override")
        for reach in ranked:
            assert reach.engine is not None
            made = self._case.evidence.chain(reach.engine)
            if made:
                return made[0]
        return None

    def _fix(self, finding: Finding) -> str:
        advice = _LOADED if finding.told("loads") else _ADVICE.get(finding.kind, "")
        words = {**dict(finding.about), "where": finding.where, "file": finding.file or ""}
        return advice.format_map(_Words(words))


class _Words(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "it"


_LOADED = (
    "At {where} do not load the file where the tests run, or name the tests' own there: what it puts into the "
    "environment goes before every file that settings read."
)
_ADVICE = {
    "opened-by-the-tests": (
        "If that is meant, run these tests apart from the others and allow the database there; if not, name the test "
        "database at {where}."
    ),
    "override-cleared-by-other-test": (
        "At {where} remove only what that test has set (app.dependency_overrides.pop(key, None)), or put back what was "
        "there before; or set the database's override anew for each test."
    ),
    "override-leaked": (
        "Take the override back when the test is over: app.dependency_overrides.pop(key, None) in its teardown."
    ),
    "dependency-called-directly": (
        "At {where} do not call {callable} yourself: take what it gives as a parameter of the endpoint, "
        "Depends({callable}), and hand it down."
    ),
    "dependency-not-overridden": (
        "Where the tests make their client set app.dependency_overrides[{callable}] to a function that gives a session "
        "of their own engine ({ours}), or let their settings lead the application there."
    ),
    "background-task-session": (
        "Let the task {function} get its session from what the endpoint was given (a session factory that is itself a "
        "dependency), instead of the module's own."
    ),
    "lifespan-engine": (
        "Let the lifespan take its engine or URL from something that tests can set before it runs, or set the test's "
        "own after the client has been entered."
    ),
    "import-time-engine": "Move the statement at {where} out of the module's text, into the lifespan or a command.",
    "collection-time-import": (
        "Set {variable} before anything is imported (at the top of conftest.py, or in the environment of the command), "
        "or import the application inside the tests of {module}."
    ),
    "env-set-too-late": (
        "Set {variable} before the application is imported: at the top of conftest.py, or in the environment of the "
        "command; or let the application ask for it when it is used, and the tests put away what it has kept from "
        "before (cache_clear, dispose)."
    ),
    "variable-precedence": (
        "Do not set {variable} where the tests run; or, before the application is imported, take it away in "
        "conftest.py (os.environ.pop), or set it there (os.environ[...] = ..., not setdefault)."
    ),
    "variable-inherited": (
        "Do not set {variable} where the tests run (the shell, the Makefile, the CI job), or set it to the test "
        "database at the top of conftest.py, before the application is imported."
    ),
    "environment-not-handed-on": "At {where} hand {variable} on: env={{**os.environ, ...}}.",
    "variable-missing": (
        "Set {variable} to the test database at the top of conftest.py, before the application is imported (or asks "
        "for it, at {where})."
    ),
    "memory-database-each": (
        "At {where} make the engine with poolclass=StaticPool and connect_args={{'check_same_thread': False}}, so that "
        "all share one connection; or use a file."
    ),
    "variable-set-wrong": "At {where} set {variable} to the test database.",
    "variable-not-asked-for": "At {where} set {wanted}, which is what the application asks for, instead of {variable}.",
    "settings-file": (
        "At {where} name the tests' own file by its path (load_dotenv() looks for .env in the folders above, too), or "
        "set {variable} in the environment first, which goes before files."
    ),
    "configured-by-the-tests": "At {where} name the test database, or leave the application as conftest.py sets it up.",
    "working-directory-changed": (
        "At {where} go back when it is done (monkeypatch.chdir does), or name {path} whole, from the place of the "
        "module that opens it (Path(__file__))."
    ),
    "connected-elsewhere": "At {where} connect to the place that the engine's URL names, or leave `creator` out.",
    "dotenv-precedence": (
        "At {where} do not let the file go before the environment (load_dotenv(override=False)), or name the tests' "
        "own file of variables there."
    ),
    "from-import-early-binding": (
        "Refer to {name} through its module ({module}.{name}) where it is used, not as a copy or a default value, so "
        "that what the tests put there is found."
    ),
    "global-engine-rebound-not-restored": (
        "Put back what {where} replaces when the test is over (monkeypatch.setattr does), or let init take a context."
    ),
    "event-loop-bound-pool": (
        "Make the engine at {where} with poolclass=NullPool under test, dispose of it after each test, or run all "
        "tests on one loop (loop scope session)."
    ),
    "session-uncommitted": (
        "Commit at {where}, or let the override hand the application the very session that the fixture writes to."
    ),
    "engine-not-replaced": (
        "Let the application get it from something that tests can set or override (a setting that they write before it "
        "is imported, a dependency, app.state), instead of making it at {where} for itself."
    ),
    "session-kept": (
        "Open the session at {where} for each use, or put it away when it has been used (scoped_session.remove()), so "
        "that none from before is found there."
    ),
    "middleware-session": (
        "No override reaches a middleware: let the one at {where} go by what the application holds "
        "(request.app.state), or by what it is given when it is added, so that tests can set it."
    ),
    "no-separate-test-db": (
        "Give the tests a database of their own: set {variable} at the top of conftest.py to one that is there for "
        "tests, and refuse to run (kit guard) where it is not."
    ),
}


def nowhere(url: str) -> str:
    """A URL of the kind of `url` where there is nothing: a file of the experiment's own, or a port of no server."""
    scheme = url.partition("://")[0]
    if scheme.startswith("sqlite"):
        return f"{scheme}:///{{workspace}}/{NOWHERE}"
    return f"{scheme}://{NOWHERE}@127.0.0.1:1/{NOWHERE}" if scheme else ""


def another(value: str) -> str:
    """A value of the kind of `value`, a URL or a file or a name, that leads to no database that is there."""
    if "://" in value:
        return nowhere(value)
    return f"{{workspace}}/{NOWHERE}" if "/" in value or re.search(r"\.\w{2,7}$", value) else NOWHERE


def _or_emptied(kept_by: str) -> str:
    """What to do about a function that keeps what it gave first: `app.settings.get_settings().url` is of one."""
    function = kept_by.partition("()")[0] if "()" in kept_by else ""
    return f" Or empty the cache once it is set: {function}.cache_clear()." if function else ""


def _another_in(name: str, file: str) -> str:
    return f"with {name} in {file} naming another database"


_OF_ITSELF = ("middleware", "thread")  # what runs by itself, and can have an engine to itself


def _redirected_session(opener: Frame, meant: Frame) -> Change:
    return {
        "op": "redirect-session",
        "file": opener.file,
        "line": opener.line,
        "engine_file": meant.file,
        "engine_line": meant.line,
    }


def _opens_a_session(evidence: Evidence, leak: Leak) -> bool:
    sessions = {session.session: session for session in evidence.sessions}
    session = sessions.get(getattr(leak.first.entry, "session", None) or "")
    return session is not None and evidence.chain(session) == leak.first.chain


def _kind_of(leak: Leak, otherwise: str = "session-past-dependencies") -> str:
    return {
        "background task": "background-task-session",
        "middleware": "middleware-session",
        "thread": "thread-session",
        "called directly": "dependency-called-directly",
        "lifespan": "lifespan-engine",
    }.get(leak.first.how, otherwise)


def _diff(file: str | None, line: int, before: str, after: str) -> str:
    gone = [f"-{text}" for text in before.splitlines()]
    come = [f"+{text}" for text in after.splitlines()]
    return "\n".join([f"--- {file}", f"+++ {file}", f"@@ -{line},{len(gone)} +{line},{len(come)} @@", *gone, *come])
