"""The experiments that a finding suggests: each changes what the finding names, and nothing else. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from kit.diagnose.advice import advice
from kit.diagnose.candidate import NOWHERE, Candidate, Change, about, another, diff, nowhere
from kit.diagnose.given import Given, another_in, holds_variables, redirected_session
from kit.diagnose.statements import Statement
from kit.evidence import Frame
from kit.findings.case import tests_said
from kit.findings.model import Finding


class ForFindings(Given):
    """One experiment, or a few, for each kind of finding that a change can decide."""

    __slots__ = ()

    def for_finding(self, finding: Finding) -> Iterator[Candidate]:
        makers: dict[str, Callable[[Finding], Iterator[Candidate]]] = {
            "duplicate-module-import": self._rekeyed,
            "override-key-stale": self._rekeyed,
            "override-key-unmatched": self._rekeyed,
            "override-on-wrong-app": self._applied,
            "route-without-provider": self._applied,
            "override-cleared-by-other-test": self._kept,
            "override-leaked": self._without_test,
            "override-not-in-test": self._standing,
            "override-taken-back": self._without_statement,
            "dependency-called-directly": self._redirected,
            "dependency-not-overridden": self._supplied_elsewhere,
            "engine-not-used": self._put_to_use,
            "background-task-session": self._without_task,
            "lifespan-engine": self._without_lifespan,
            "import-time-engine": self._without_statement,
            "attached-database": self._without_statement,
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
            "session-routed": self._on_its_own_engine,
            "variable-missing": self._set_elsewhere,
            "variable-removed": self._left_there,
            "environment-not-handed-on": self._handed_on,
            "memory-database-each": self._one_in_memory,
            "working-directory-changed": self._folder_restored,
            "from-import-early-binding": self._copies,
            "global-engine-rebound-not-restored": self._without_test,
            "event-loop-bound-pool": self._without_pool,
            "session-uncommitted": self._committed,
            "no-separate-test-db": self._elsewhere,
            "opened-by-the-tests": self._without_tests,
            "engine-differs-by-process": self._as_in_another_process,
        }
        if finding.kind in makers:
            yield from makers[finding.kind](finding)

    # --- overrides ----------------------------------------------------------------------------------------------------

    def _rekeyed(self, finding: Finding) -> Iterator[Candidate]:
        key, to = finding.told("key"), finding.told("to") or self._supplied_by(finding)
        if not to:
            return
        yield about(
            finding,
            f"with the override of {key} applied to {to}",
            {"op": "apply-override", "key": key, "to": to},
            fix=self._import_fix(finding, key, to),
        )

    def _supplied_by(self, finding: Finding) -> str:
        """The dependency through which a leak was opened that a finding is about; "" where there is none."""
        return next(
            (
                leak.first.dependency.name
                for leak in self.case.leaks
                if leak.database.id in finding.databases and leak.first.dependency and leak.first.override is None
            ),
            "",
        )

    def _import_fix(self, finding: Finding, key: str, to: str) -> str:
        (module, _, name), (wanted, _, other) = key.rpartition("."), to.rpartition(".")
        source = self.text_of(finding.file or "") or "" if name == other else ""
        for number, line in enumerate(source.splitlines(), 1):
            if module != wanted and line.split()[:2] in (["from", module], ["import", module]):
                return diff(finding.file, number, line, line.replace(module, wanted, 1))
        if key == to:
            return f"Import the very object that stands in Depends(...) and override that, not another {key}."
        return f"Override {to}, the object that stands in Depends(...), instead of {key}."

    def _applied(self, finding: Finding) -> Iterator[Candidate]:
        key = finding.told("key")
        yield about(
            finding,
            f"with the override of {key} applied in every application",
            {"op": "apply-override", "key": key, "to": key},
            fix=f"Let {finding.told('made')} add the route itself (add_api_route, a decorator, include_router), not as "
            "an APIRoute made by hand: only for what the application adds are its overrides looked up."
            if finding.told("provider")
            else f"Set the override of {key} on the application that serves the request (the mounted one, or the one "
            f"that the test's client was given), not on the one at {finding.where}.",
        )

    def _standing(self, finding: Finding) -> Iterator[Candidate]:
        key, setter = finding.told("key"), finding.told("setter")
        order = [outcome.test for outcome in self.case.evidence.outcomes]
        late = set(finding.tests) & set(order[: order.index(setter)]) if setter in order else ()
        first: tuple[Change, ...] = ({"op": "first", "tests": [setter]},) if late else ()
        kept: Change = {"op": "apply-override", "key": key, "to": key, "kept": True}
        yield about(
            finding, f"with the override of {key} kept from {setter} on", kept, *first, fix=self._let_through(finding)
        )

    def _kept(self, finding: Finding) -> Iterator[Candidate]:
        yield from self._without_statement(finding)
        yield from self._without_test(finding)

    def _without_test(self, finding: Finding) -> Iterator[Candidate]:
        test = finding.told("test")
        if test:
            yield about(finding, f"without {test}", {"op": "leave-out", "tests": [test]}, left_out=(test,))

    def _without_tests(self, finding: Finding) -> Iterator[Candidate]:
        if finding.tests:
            yield about(
                finding,
                f"without {tests_said(finding.tests)}",
                {"op": "leave-out", "tests": list(finding.tests)},
                left_out=finding.tests,
            )

    def _redirected(self, finding: Finding) -> Iterator[Candidate]:
        name = finding.told("callable")
        if name:
            yield about(
                finding, f"with plain calls of {name} led to its override", {"op": "redirect-call", "callable": name}
            )

    def _supplied_elsewhere(self, finding: Finding) -> Iterator[Candidate]:
        """The session that a dependency opened, bound to the engine that the tests use instead."""
        meant = self._engine_of_tests()
        for leak in self.case.leaks:
            if meant and leak.opener and leak.opener.line == finding.line and leak.opener.file == finding.file:
                yield about(
                    finding,
                    f"with the session of {finding.where} on the tests' engine",
                    redirected_session(leak.opener, meant),
                )
                return

    def _put_to_use(self, finding: Finding) -> Iterator[Candidate]:
        """The session that was opened on a leak, bound to the engine that the tests have made to no use."""
        file, _, line = finding.told("ours").rpartition(":")
        for leak in self.case.leaks:
            if leak.opener is not None and leak.tests == finding.tests and leak.database.id in finding.databases:
                yield about(
                    finding,
                    f"with the session of {leak.opener.file}:{leak.opener.line} on the tests' engine",
                    redirected_session(leak.opener, Frame(file, int(line), "")),
                )

    # --- statements ---------------------------------------------------------------------------------------------------

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
            advice(finding) or diff(file, statement.first, statement.text, ""),
        )

    # --- what runs by itself ------------------------------------------------------------------------------------------

    def _without_task(self, finding: Finding) -> Iterator[Candidate]:
        function = finding.told("function")
        yield about(finding, f"without the background task {function}", {"op": "no-background", "function": function})

    def _without_lifespan(self, finding: Finding) -> Iterator[Candidate]:
        yield from self._without_statement(finding)
        yield about(finding, "without the application's lifespan", {"op": "no-lifespan"})
        for leak in self.case.leaks:  # an application can need its lifespan to run at all
            if finding.told("replaced") and leak.database.id in finding.databases:
                yield from self.last_resort(leak)

    # --- variables ----------------------------------------------------------------------------------------------------

    def _in_time(self, finding: Finding) -> Iterator[Candidate]:
        name = finding.told("variable")
        value = self.values.get((name, finding.told("value")))
        if value is None:
            yield from self._set_elsewhere(finding)
        else:
            yield about(
                finding,
                f"with {name} set before anything is imported",
                {"op": "set", "name": name, "value": value},
                fix=advice(finding) + _or_emptied(finding.told("kept_by")),
            )

    def _without_variable(self, finding: Finding) -> Iterator[Candidate]:
        name = finding.told("variable")
        if name:
            yield self._unset(finding.kind, name, finding.message, finding.file, finding.line, advice(finding))

    def _set_otherwise(self, finding: Finding) -> Iterator[Candidate]:
        name, value = finding.told("variable"), finding.told("value")
        pinned: Change = {"op": "pin", "name": name, "value": another(value)}
        label = f"with {name} naming another database throughout"
        for candidate in self._without_statement(finding):
            yield replace(candidate, otherwise=(pinned,), otherwise_label=label)
        yield about(finding, label, pinned)  # without the statement it can hold the same as before

    def _under_its_name(self, finding: Finding) -> Iterator[Candidate]:
        name, wanted = finding.told("variable"), finding.told("wanted")
        value = self.values.get((name, finding.told("value"))) or self._given_in(finding, name)
        if value is not None:
            yield about(
                finding,
                f"with {wanted} set to what {name} is set to",
                {"op": "set", "name": wanted, "value": value},
                fix=self._renamed(finding, name, wanted),
            )

    def _renamed(self, finding: Finding, name: str, wanted: str) -> str:
        line = self._line(finding.file, finding.line)
        if finding.line and name in line and (finding.file or "").endswith(".py"):
            return diff(finding.file, finding.line, line, line.replace(name, wanted))
        return advice(finding)

    def _without_file(self, finding: Finding) -> Iterator[Candidate]:
        if finding.told("loads"):
            yield from self._without_statement(finding)
        name, file = finding.told("variable"), finding.told("file")
        changed = self._changed_line(file, int(finding.told("number") or 0), finding.told("value")) if file else None
        away: Change = {"op": "no-dotenv", "names": [name.upper()], **({"file": file} if file else {})}
        without = not file or holds_variables(file)
        if not without and changed is None:
            return
        yield about(
            finding,
            f"without {name} from {file or 'files of variables'}" if without else another_in(name, file),
            away if without or changed is None else changed,
            otherwise=(changed,) if without and changed is not None else (),
            otherwise_label=another_in(name, file),
        )

    def _set_elsewhere(self, finding: Finding) -> Iterator[Candidate]:
        name, url = finding.told("variable"), finding.told("url")
        whole = re.search(r"(?i)ur[il]|dsn", name) is not None
        path = f"{{workspace}}/{NOWHERE}"
        values = (nowhere(url), path) if whole else (path, nowhere(url))
        first, second = values if not url or url.startswith("sqlite") else (nowhere(url) if whole else NOWHERE, "")
        yield about(
            finding,
            f"with {name} naming another database",
            {"op": "set", "name": name, "value": first or second},
            otherwise=({"op": "set", "name": name, "value": second},) if second else (),
            otherwise_label=f"with {name} naming another file",
        )

    def _left_there(self, finding: Finding) -> Iterator[Candidate]:
        yield from self._without_test(finding)
        for candidate in self._without_statement(finding):
            yield replace(candidate, fix=advice(finding))
        yield from self._set_elsewhere(finding)

    def _handed_on(self, finding: Finding) -> Iterator[Candidate]:
        name = finding.told("variable")
        yield about(finding, f"with {name} handed on to processes that are started", {"op": "hand-on", "name": name})

    def _elsewhere(self, finding: Finding) -> Iterator[Candidate]:
        name, url = finding.told("variable"), finding.told("url")
        value = nowhere(url) if finding.told("whole") or not url else NOWHERE
        if name and value:
            yield about(finding, f"with {name} naming another database", {"op": "set", "name": name, "value": value})

    # --- folders and modules ------------------------------------------------------------------------------------------

    def _folder_restored(self, finding: Finding) -> Iterator[Candidate]:
        if not finding.told("test"):
            yield from self._without_statement(finding)
            return
        yield about(finding, "with the working directory put back after each test", {"op": "restore-folder"})

    def _without_module(self, finding: Finding) -> Iterator[Candidate]:
        module = finding.told("module")
        if module:
            yield self._leave_out(finding.kind, module, finding.message, finding.line, advice(finding))
        yield from self._in_time(finding)

    # --- names, connections, pools, transactions ----------------------------------------------------------------------

    def _copies(self, finding: Finding) -> Iterator[Candidate]:
        module, name, bound = finding.told("module"), finding.told("name"), finding.told("bound")
        if module:
            yield about(
                finding,
                f"with copies of {module}.{name} following it",
                {"op": "rebind-copies", "module": module, "name": name},
                fix=f"Where the tests replace {module}.{name}, replace {bound} too, or bind it anew "
                "(configure(bind=...))."
                if bound
                else advice(finding),
            )

    def _as_in_another_process(self, finding: Finding) -> Iterator[Candidate]:
        """The engine that one worker makes, led where the same line leads in another; not a pool of a driver's own."""
        if "." in finding.told("pool"):
            return
        yield about(
            finding,
            f"with the engine of {finding.where} led where it leads in another process",
            {
                "op": "lead-elsewhere",
                "frames": [[finding.file, finding.line]],
                "of": finding.told("url"),
                "to": finding.told("to"),
                "nowhere": f"{{workspace}}/{NOWHERE}",
            },
        )

    def _one_in_memory(self, finding: Finding) -> Iterator[Candidate]:
        yield about(finding, "with one connection for all that is in memory", {"op": "one-in-memory"})

    def _as_named(self, finding: Finding) -> Iterator[Candidate]:
        yield about(finding, "with engines connecting to where their URLs lead", {"op": "no-creator"})

    def _on_its_own_engine(self, finding: Finding) -> Iterator[Candidate]:
        yield about(finding, "with each session on the engine that it was opened with", {"op": "no-routing"})

    def _without_pool(self, finding: Finding) -> Iterator[Candidate]:
        yield about(finding, "without connection pools", {"op": "no-pool"})

    def _committed(self, finding: Finding) -> Iterator[Candidate]:
        yield about(
            finding,
            f"with a commit after {finding.where}",
            {"op": "commit", "file": finding.file, "line": finding.line},
        )


def _or_emptied(kept_by: str) -> str:
    """What to do about a function that keeps what it gave first: `app.settings.get_settings().url` is of one."""
    function = kept_by.partition("()")[0] if "()" in kept_by else ""
    return f" Or empty the cache once it is set: {function}.cache_clear()." if function else ""
