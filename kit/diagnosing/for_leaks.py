"""The interventions that may be tried for any leak, whatever its findings. Pure.

They change the URL's source (variables, files, modules), or redirect the engine, session or connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from kit.analysis.case import Leak, named
from kit.analysis.model import Finding
from kit.analysis.past_override import bypassing_line
from kit.analysis.past_override import overridden as is_overridden
from kit.analysis.url_source import named_in_files, parts_of, read_at, url_source_of
from kit.detectors.engines import engine_made_early, import_time_engine
from kit.detectors.files import configuration_chosen, dotenv_precedence, module_from_elsewhere, settings_file
from kit.detectors.kind import proposed
from kit.detectors.planning.candidate import NOWHERE, Candidate
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import (
    another_in,
    holds_variables,
    leaving_out,
    redirected_connection,
    redirected_session,
    without_module,
    without_variable,
)
from kit.detectors.routes import lifespan_engine, middleware_session, session_past_dependencies
from kit.detectors.sessions import context_not_in_thread
from kit.detectors.variables import collection_time_import, variable_inherited, variable_missing
from kit.evidence.model import Evidence, Frame
from kit.probes.interventions.applications import NoLifespan
from kit.probes.interventions.base import Intervention
from kit.probes.interventions.texts import PathFirst
from kit.probes.interventions.variables import DropFromFiles, SetVariable
from kit.probes.places import place

# Routes of code that runs outside requests' dependencies and may have its own engine.
_OF_ITSELF = ("middleware", "thread")
# Routes of a request's own code outside dependencies.
_BYPASSING_ROUTES = ("without a dependency", "direct call", "background task")


def for_leak(leak: Leak, context: Context) -> Iterator[Candidate]:
    """The candidates for any leak, whatever its findings."""
    yield from configuration_chosen.of_options(leak, context)
    overridden = bool(context.case.evidence.overrides)
    if overridden:
        yield from _session_elsewhere(leak, context)
        yield from _connection_elsewhere(leak, context)
    if leak.first.how in _OF_ITSELF and not _opens_a_session(context.case.evidence, leak):
        yield from context.engine_elsewhere(leak)
    without_context = context_not_in_thread.of_thread(context.case, leak)
    if without_context is not None:
        yield context_not_in_thread.hand_on_context(without_context)
    yield from _variables(leak, context)
    yield from _own_modules(leak, context)
    if leak.engine is not None:
        yield from _collected_alone(leak, context)
        yield from _without_unused_value(leak, context)
    if not overridden:
        yield from _session_elsewhere(leak, context)
    if _lifespan_ran(leak, context):
        yield _no_lifespan(leak, context)


def _without_unused_value(leak: Leak, context: Context) -> Iterator[Candidate]:
    """Leave out a statement on the engine's stack whose value is unused, so that nothing else depends on it.

    Not for an engine of a lifespan, where the whole lifespan is the cause rather than one statement.
    """
    assert leak.engine is not None
    if leak.engine.stage == "lifespan":
        return
    early = leak.engine.phase in ("configure", "collection", "start")
    for frame in context.case.evidence.chain(leak.engine)[1:]:
        statement = context.statement(frame.file, frame.line)
        if statement is None or not statement.by_the_way or context.case.of_tests(frame.file):
            continue
        finding = _suggested(
            context,
            leak,
            import_time_engine.NAME if early else engine_made_early.NAME,
            f"{frame.file}:{statement.first} makes the engine of {leak.database.name} ({leak.engine.phase}), and a "
            "cache or a global keeps it.",
            frame.file,
            statement.first,
        )
        yield leaving_out(finding, frame.file, statement, "")


# --- sessions ---------------------------------------------------------------------------------------------------------


def _session_elsewhere(leak: Leak, context: Context) -> Iterator[Candidate]:
    """Bind the session that was opened on the leak to the engine that the tests use."""
    meant, opener = context.engine_of_tests(), leak.opener
    through_one = leak.first.how in ("dependency", "override")
    if through_one or not _opens_a_session(context.case.evidence, leak):
        return
    if meant is None or opener is None or leak.engine is None:
        return
    overridden = bool(context.case.evidence.overrides)
    there = "the dependency that the tests override" if overridden else "what the tests replace it with"
    redirected = redirected_session(opener, meant)
    opens = f"a session of its own on {leak.database.name}, past {there}"
    yield _past(leak, context, opener, redirected.label, opens, redirected)


def _connection_elsewhere(leak: Leak, context: Context) -> Iterator[Candidate]:
    """Redirect a connection that was opened without override or session to the override's database."""
    meant = context.engine_of_tests() if leak.engine is not None else context.connected_by_tests()
    opener, in_a_session = leak.opener, _opens_a_session(context.case.evidence, leak)
    if leak.first.how not in _BYPASSING_ROUTES or in_a_session or not is_overridden(context.case, leak):
        return
    if meant is None or opener is None:
        return
    yield _past(
        leak,
        context,
        opener,
        f"with the connection of {named(opener)} at {opener.file}:{opener.line} redirected to the override's database",
        f"a connection of its own to {leak.database.name}, past the dependency that the tests override",
        redirected_connection(opener, meant),
    )


def _past(leak: Leak, context: Context, opener: Frame, label: str, opens: str, instead: Intervention) -> Candidate:
    """A candidate for code that bypasses the tests' override, at the line that should have passed the override on."""
    kind = context.kind_of_route(leak, session_past_dependencies.NAME)
    known = context.found(kind, leak)
    if known is not None:  # it has the line that should have used its argument
        return Candidate(known, label, (instead,), context.kind(kind).advice(known) or _past_fix(leak, opener, opener))
    caller = bypassing_line(context.case, leak) or opener
    finding = _suggested(
        context,
        leak,
        kind,
        f"{opener.file}:{opener.line} opens {opens}: {context.case.stack_text(leak.first.chain[:4])}.",
        caller.file,
        caller.line,
    )
    fix = _past_fix(leak, caller, opener)
    return Candidate(finding, label, (instead,), fix, at=(caller.file, caller.line))


def _past_fix(leak: Leak, caller: Frame, opener: Frame) -> str:
    where = f"{caller.file}:{caller.line}"
    if leak.first.how == middleware_session.KIND.route:
        return middleware_session.advice_at(where)
    down = "" if caller == opener else f" (pass it as an argument to {opener.file}:{opener.line})"
    if leak.first.how == "without a dependency":
        return f"At {where} use what the dependency supplies{down}, so that the override applies to it."
    return (
        f"At {where} there is no dependency: take the session factory from what tests can set (app.state, an "
        f"argument, the module's attribute at the time of the call){down}."
    )


# --- the lifespan -----------------------------------------------------------------------------------------------------


def _lifespan_ran(leak: Leak, context: Context) -> bool:
    return any(
        request.type == "lifespan" and request.at_s <= leak.first.entry.at_s
        for request in context.case.evidence.requests
    )


def _no_lifespan(leak: Leak, context: Context) -> Candidate:
    opener = leak.opener
    finding = _suggested(
        context,
        leak,
        lifespan_engine.NAME,
        f"The lifespan of the application, which runs when the client is entered, leads to {leak.database.name}.",
        opener.file if opener else None,
        opener.line if opener else None,
    )
    return Candidate(
        finding,
        NoLifespan().label,
        (NoLifespan(),),
        "Let the lifespan take its database from the application's settings, which tests can change, or use the "
        "client without `with`, so that no lifespan runs.",
        at=(opener.file, opener.line) if opener else None,
    )


# --- variables --------------------------------------------------------------------------------------------------------


def _variables(leak: Leak, context: Context) -> Iterator[Candidate]:
    """Change the source of a leak's URL: a line of a settings file, or an inherited variable."""
    evidence = context.case.evidence
    source = url_source_of(evidence, leak.first)
    for file, line, name, value in named_in_files(evidence, leak.engine) if leak.engine else ():
        yield _line_of_file(leak, context, file, line, name, value or "")
    if source.variable is None:
        yield from _changed_url_parts(leak, context)
    if source.variable is None or source.written is None or source.written.op != "inherited":
        return
    made = evidence.chain(leak.engine or leak.first.connection)
    frame = made[0] if made else None
    for name in (source.variable, *source.also):
        finding = _suggested(
            context,
            leak,
            variable_inherited.NAME,
            f"{name}, inherited from what started the command, holds the URL of {leak.database.name}.",
            frame.file if frame else None,
            frame.line if frame else None,
        )
        fix = f"Do not set {name} where the tests run, or set it to the test database there."
        found = without_variable(finding, context, name, fix)
        yield replace(found, at=(frame.file, frame.line)) if frame else found


def _line_of_file(leak: Leak, context: Context, file: str, line: int, name: str, value: str) -> Candidate:
    changed = context.changed_line(file, line, value)
    away = DropFromFiles((name.upper(),), file)
    in_place = changed is not None and not holds_variables(file)
    read_by_settings = leak.engine is not None and bool(leak.engine.files)
    finding = _suggested(
        context,
        leak,
        settings_file.NAME if in_place else dotenv_precedence.NAME,
        f"{name} in {file}:{line} leads to {leak.database.name}{_read_at(context, file)}.",
        file,
        line,
    )
    return Candidate(
        finding,
        another_in(name, file) if in_place else f"without {name} from {file}",
        (changed if in_place and changed is not None else away,),
        f"In {file}:{line} name the test database."
        if in_place
        else f"Let the tests' settings read another file than {file}, or set {name} in the environment"
        + (", which takes precedence." if read_by_settings else ", and load the file without override."),
        otherwise=(changed,) if changed is not None and not in_place else (),
        otherwise_label=another_in(name, file),
        at=(file, line),
    )


def _read_at(context: Context, file: str) -> str:
    evidence = context.case.evidence
    opened = next((event for event in evidence.settings_files if event.file == file), None)
    chain = evidence.chain(opened) if opened is not None else ()
    own = chain and not chain[0].file.startswith("site-packages/")
    return f", and is read at {chain[0].file}:{chain[0].line}" if own else ""


def _changed_url_parts(leak: Leak, context: Context) -> Iterator[Candidate]:
    """Change the part of the URL that differs from the allowed server's, unless the tests have set it.

    If no entry of the allow-list tells which part that is, it is the host, else the port.
    """
    evidence = context.case.evidence
    made = leak.engine or leak.first.connection
    url = leak.engine.url if leak.engine is not None else leak.first.connection.configured
    parts = parts_of(evidence, made, url)
    wanted = context.case.allowed.differing(url, leak.first.connection.observed) or {"host": "", "port": ""}
    name = next((name for name in ("host", "port", "database") if name in wanted and name in parts), None)
    if name is None or context.case.done_by_tests(parts[name]):
        return
    event, value = parts[name], wanted[name]
    at = next(iter(evidence.chain(event)), None) or read_at(evidence, made, event.name)
    at = at or next(iter(evidence.chain(made)), None)
    held = ", ".join(f"{part} from {one.name}={one.value}" for part, one in parts.items())
    finding = _suggested(
        context,
        leak,
        variable_missing.NAME if event.op == "missing" else variable_inherited.NAME,
        f"The URL of {leak.database.name} is built from parts ({held}), and the tests set no other {event.name}.",
        at.file if at else None,
        at.line if at else None,
    )
    yield Candidate(
        finding,
        f"with {event.name} set to {value}" if value else f"with {event.name} naming another server",
        (SetVariable(event.name, value or ("1" if name == "port" else NOWHERE)),),
        f"Set {event.name}, too, to that of the test server, before the application reads it.",
        at=(at.file, at.line) if at else None,
    )


# --- modules ----------------------------------------------------------------------------------------------------------


def _collected_alone(leak: Leak, context: Context) -> Iterator[Candidate]:
    """Do not collect the other test module whose collection made the engine."""
    engine, own = leak.engine, {test.partition("::")[0] for test in leak.tests}
    if engine is None or engine.phase != "collection" or engine.collecting is None:
        return
    module = engine.collecting.partition("::")[0]
    others = {outcome.test.partition("::")[0] for outcome in context.case.evidence.outcomes} - {module}
    if module not in own and module.endswith(".py") and context.case.of_tests(module) and others:
        said = f"{module} makes the engine while it is collected."
        fix = f"Import the application inside the tests or fixtures of {module}, not at its top."
        yield without_module(_suggested(context, leak, collection_time_import.NAME, said, module, None), module, fix)


def _own_modules(leak: Leak, context: Context) -> Iterator[Candidate]:
    """Put a project folder first on sys.path, if a file of the leak has a namesake there."""
    evidence = context.case.evidence
    for frame in (*evidence.chain(leak.engine or leak.first.connection)[:1], *leak.first.chain[:1]):
        for found in _namesakes(context, frame.file):
            yield _own_module(leak, context, frame, found, "connects to")
            return
    url = leak.engine.url if leak.engine is not None else leak.first.connection.configured
    for text in evidence.texts:
        for frame in evidence.chain(text)[:1] if place(text.value) == place(url) is not None else ():
            for found in _namesakes(context, frame.file):
                yield _own_module(leak, context, frame, found, "names")
                return


def _own_module(leak: Leak, context: Context, frame: Frame, found: tuple[str, str, str], does: str) -> Candidate:
    folder, own, other = found
    line = _line_of_path(context, other)
    decides = f"{line} puts {other} on sys.path" if line else "sys.path (PYTHONPATH, and how pytest is started) decides"
    finding = _suggested(
        context,
        leak,
        module_from_elsewhere.NAME,
        f"{frame.file} is imported, and not {own}: {decides}. It {does} {leak.database.name}.",
        frame.file,
        frame.line,
    )
    there = f"at {line}" if line else "in pytest's configuration (or run python -m pytest)"
    return Candidate(
        finding,
        PathFirst(folder).label,
        (PathFirst(folder),),
        f"Let the tests import {own}: set pythonpath = {folder or '.'} {there}, and remove the other folder from "
        f"{'it' if line else 'PYTHONPATH'}.",
        at=(frame.file, frame.line),
    )


def _namesakes(context: Context, file: str) -> Iterator[tuple[str, str, str]]:
    """Other project files that may be the same module: the folder for sys.path, the file, the folder of this one."""
    parts = file.split("/")
    in_package = context.text_of("/".join([*parts[:-1], "__init__.py"])) is not None
    for number in range(1, len(parts) - in_package):
        for folder in ("", "src"):
            own = "/".join([*([folder] if folder else []), *parts[number:]])
            if own != file and not context.case.of_tests(own) and context.text_of(own) is not None:
                yield folder, own, "/".join(parts[:number])


def _line_of_path(context: Context, folder: str) -> str:
    """The line of pytest's configuration that puts a folder on sys.path, as FILE:LINE; "" for none."""
    written = re.compile(rf"\s*[\"']?pythonpath[\"']?\s*=.*(?<![\w./-])(?:\./)?{re.escape(folder)}/?(?![\w./-])")
    for file in ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"):
        for number, line in enumerate((context.text_of(file) or "").splitlines(), 1):
            if written.match(line):
                return f"{file}:{number}"
    return ""


def _suggested(
    context: Context, leak: Leak, kind: str, message: str, file: str | None, line: int | None
) -> Finding[object]:
    """The finding that an intervention should prove: the run's finding of that kind, else a new one."""
    return context.found(kind, leak) or proposed(kind, message, file, line)


def _opens_a_session(evidence: Evidence, leak: Leak) -> bool:
    sessions = {session.session: session for session in evidence.sessions}
    session = sessions.get(getattr(leak.first.entry, "session", None) or "")
    return session is not None and evidence.chain(session) == leak.first.chain
