"""The interventions that several kinds share. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kit.analysis.case import Leak
from kit.analysis.model import Finding
from kit.detectors.planning.allowed_databases import allowed_url, naming, value_instead
from kit.detectors.planning.candidate import NOWHERE, Candidate, diff, nowhere
from kit.detectors.planning.context import Context
from kit.detectors.planning.statements import Statement
from kit.evidence.model import Frame
from kit.probes.interventions.base import WORKSPACE, Intervention
from kit.probes.interventions.connections import RedirectConnection, RedirectSession
from kit.probes.interventions.overrides import ApplyOverride
from kit.probes.interventions.tests import LeaveOut
from kit.probes.interventions.texts import EditModule
from kit.probes.interventions.variables import DropFromFiles, SetVariable, UnsetVariable


def proposed_by(finding: Finding[object], intervention: Intervention, fix: str) -> Candidate:
    """A candidate with one intervention and the intervention's own label."""
    return Candidate(finding, intervention.label, (intervention,), fix)


def without_statement(
    finding: Finding[object],
    context: Context,
    fix: str,
    otherwise: tuple[Intervention, ...] = (),
    otherwise_label: str = "",
) -> Iterator[Candidate]:
    """Leave out the statement at the finding's line; no candidate if there is no simple statement."""
    statement = context.statement(finding.file, finding.line)
    if statement is not None and finding.file is not None:
        yield leaving_out(finding, finding.file, statement, fix, otherwise, otherwise_label)


def leaving_out(
    finding: Finding[object],
    file: str,
    statement: Statement,
    fix: str,
    otherwise: tuple[Intervention, ...] = (),
    otherwise_label: str = "",
) -> Candidate:
    """Leave out a statement; if `fix` is "", the diff is the fix."""
    return Candidate(
        finding,
        f"without {file}:{statement.first} `{' '.join(statement.text.split())}`",
        (EditModule(file, (statement.left_out,)),),
        fix or diff(file, statement.first, statement.text, ""),
        otherwise=otherwise,
        otherwise_label=otherwise_label,
        at=(file, statement.first),
    )


def without_test(finding: Finding[object], test: str, fix: str) -> Iterator[Candidate]:
    """Leave out one test; no candidate if `test` is ""."""
    if test:
        yield proposed_by(finding, LeaveOut((test,)), fix)


def without_module(finding: Finding[object], module: str, fix: str) -> Candidate:
    """Do not collect a test module."""
    left_out = LeaveOut(files=(module,))
    return Candidate(finding, left_out.label, (left_out,), fix, at=(module, finding.line))


def connected_elsewhere(
    finding: Finding[object], context: Context, leaks: Sequence[Leak], label: str, fix: str
) -> Iterator[Candidate]:
    """Redirect the connections through the lines of leaks to an allowed database; the code there still runs."""
    if leaks:
        yield Candidate(finding, label, (context.redirect_engines(leaks[0], sites=context.sites_of(leaks)),), fix)


def override_applied(finding: Finding[object], key: str, to: str, label: str, fix: str) -> Candidate:
    """Apply the override of a key to a dependency, wherever that is resolved."""
    return Candidate(finding, label, (ApplyOverride(key, to),), fix)


def without_variable(finding: Finding[object], context: Context, name: str, fix: str) -> Candidate:
    """Remove a variable from the environment before the command begins."""
    value = context.inherited(name)
    return Candidate(
        finding,
        UnsetVariable(name).label,
        (UnsetVariable(name),),
        fix,
        otherwise=(SetVariable(name, value_instead(context, value)),) if value else (),
        otherwise_label=naming(context, name, value),
    )


def set_to_allowed(finding: Finding[object], context: Context, name: str, url: str, fix: str) -> Candidate:
    """Set a variable to an allowed database, else to one that does not exist; `url` is the engine's."""
    whole = re.search(r"(?i)ur[il]|dsn", name) is not None
    if whole and url and allowed_url(context, url):
        return Candidate(finding, naming(context, name, url), (SetVariable(name, value_instead(context, url)),), fix)
    path = f"{WORKSPACE}/{NOWHERE}"
    values = (nowhere(url), path) if whole else (path, nowhere(url))
    first, second = values if not url or url.startswith("sqlite") else (nowhere(url) if whole else NOWHERE, "")
    return Candidate(
        finding,
        f"with {name} naming another database",
        (SetVariable(name, first or second),),
        fix,
        otherwise=(SetVariable(name, second),) if second else (),
        otherwise_label=f"with {name} naming another file",
    )


def set_in_time(
    finding: Finding[object], context: Context, name: str, shown: str, url: str, fix: str, cache: str = ""
) -> Candidate:
    """Set a variable, before anything is imported, to the value that the tests give it (`shown` in the evidence).

    If that value is unknown, the variable names another database. `cache` is the function that kept the old value.
    """
    value = context.values.get((name, shown))
    if value is None:
        return set_to_allowed(finding, context, name, url, fix)
    emptied = f" Or clear the cache once it is set: {cache}.cache_clear()." if cache else ""
    in_time = (SetVariable(name, value),)
    return Candidate(finding, f"with {name} set before anything is imported", in_time, fix + emptied)


def without_line_of_file(
    finding: Finding[object], context: Context, name: str, file: str, line: int, value: str, fix: str
) -> Iterator[Candidate]:
    """Drop a variable from a file, or change its line to no existing database; `file` "" stands for any file."""
    changed = context.changed_line(file, line, value) if file else None
    away = DropFromFiles((name.upper(),), file)
    without = not file or holds_variables(file)
    if not without and changed is None:
        return
    yield Candidate(
        finding,
        f"without {name} from {file or 'dotenv files'}" if without else another_in(name, file),
        (away if without or changed is None else changed,),
        fix,
        otherwise=(changed,) if without and changed is not None else (),
        otherwise_label=another_in(name, file),
    )


def redirected_session(opener: Frame, meant: Frame) -> RedirectSession:
    """Bind the session that is opened at `opener` to the engine that is made at `meant`."""
    return RedirectSession(opener.file, opener.line, meant.file, meant.line)


def redirected_connection(opener: Frame, meant: Frame) -> RedirectConnection:
    """Redirect the connections of a function to the database that test code opens at `meant`."""
    return RedirectConnection(opener.file, opener.function, meant.file, meant.line)


def holds_variables(file: str) -> bool:
    """Whether a file contains only variables, as `.env` does."""
    return ".env" in file.rpartition("/")[2] or file.endswith("env")


def another_in(name: str, file: str) -> str:
    """The label for a changed line of a settings file."""
    return f"with {name} in {file} naming another database"
