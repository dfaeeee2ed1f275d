"""Whence a leak's place, where no other question explains it: from a variable, a file, the tests, the text?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kit.evidence import Engine, Frame, SettingsFile, Variable
from kit.findings.case import Case, Leak, attached_to, reach_facts, within
from kit.findings.model import Fact, Finding, fact, first, place
from kit.findings.reach import MODULE, called_by_tests
from kit.findings.sources import Source, leads_to, named_in_files, origin_of, writer
from kit.findings.unreplaced import not_replaced, session_kept
from kit.findings.unused import not_used

# Where its place comes from: whoever makes an engine to stand in for it need not ask.
_FROM_OUTSIDE = {
    "settings-file", "variable-inherited", "variable-missing", "variable-set-wrong", "engine-not-replaced",
    "database-reached",
}  # fmt: skip
LOADERS = ("dotenv", "environs", "decouple", "dynaconf", "pytest_dotenv", "pytest_env")


def told(case: Case, leak: Leak) -> Iterator[Finding]:
    """What is known of a leak that nothing else explains, and what the tests had made to stand in its place."""
    found = whence(case, leak)
    idle = not_used(case, leak)
    if idle is not None and found.kind in _FROM_OUTSIDE:
        yield idle
    yield found


def whence(case: Case, leak: Leak) -> Finding:
    """Say what is known of a leak that nothing else explains, at the place nearest to its source."""
    source = origin_of(case.evidence, leak.first)
    return (
        _from_file(case, leak, source)
        or _from_variable(case, leak, source)
        or _configured(case, leak, source)
        or _attached(case, leak)
        or session_kept(case, leak)
        or _not_overridden(case, leak)
        or _removed(case, leak, source)
        or _missing(case, leak, source)
        or not_replaced(case, leak)
        or _reached(case, leak)
    )


def _from_variable(case: Case, leak: Leak, source: Source) -> Finding | None:
    written = source.written
    if written is None or source.variable is None:
        return None
    inherited = written.op == "inherited"
    read = source.read if inherited else written
    at = first(case.evidence.chain(read)) if read is not None else None
    asked = f", and is read at {place(at.file, at.line)}" if at is not None and inherited else ""
    by = writer(case.evidence, written) + ("" if inherited else ", which sets it")
    return _finding(
        case,
        leak,
        "variable-inherited" if inherited else "variable-set-wrong",
        f"{leak.database.name} answered {within(leak.tests)}: its place comes from {source.named}, from {by}{asked}.",
        at,
        (fact(case.evidence, written, f"{source.variable}={written.value}"),),
        (("variable", source.variable), ("value", written.value or "")),
    )


def _from_file(case: Case, leak: Leak, source: Source) -> Finding | None:
    """The variable was loaded out of a file, or the settings read the file themselves."""
    lines = _lines(case, leak)
    loaded = source.written is not None and (source.written.written_by or "").partition(".")[0] in LOADERS
    if not lines or (source.variable is not None and not loaded):
        return None
    file, line, name, value = lines[0]
    event: Variable | SettingsFile | None = source.written
    if event is None:
        event = next((opened for opened in case.evidence.settings_files if opened.file == file), None)
    at = first(case.evidence.chain(event)) if event is not None else None
    at = None if at is None or at.file.startswith("site-packages") else at
    by = f", which {place(at.file, at.line)} loads" if at is not None else ""
    outside = " (outside the folder in which the command ran)" if file.startswith(("/", "..")) else ""
    return _finding(
        case,
        leak,
        "settings-file",
        f"{leak.database.name} answered {within(leak.tests)}: its place comes from {name} in "
        f"{file}:{line}{outside}{by}.",
        at or Frame(file, line, MODULE),
        (Fact(f"{name}={value}", file, line),),
        (("variable", name), ("file", file), ("number", str(line)), ("value", value or "")),
    )


def _lines(case: Case, leak: Leak) -> list[tuple[str, int, str, str | None]]:
    if leak.engine is not None:
        return named_in_files(case.evidence, leak.engine)
    return [
        (event.file, line, name, value)
        for event in case.evidence.settings_files
        for line, name, value in event.entries
        if value and leads_to(value, leak.first)
    ]


def _configured(case: Case, leak: Leak, source: Source) -> Finding | None:
    """The tests' own code had the application make this engine, out of nothing that the application holds."""
    engine = leak.engine
    if engine is None or source.variable is not None:
        return None
    chain = case.evidence.chain(engine)
    caller = called_by_tests(chain, case.of_tests)
    if caller is None:
        return None
    return _finding(
        case,
        leak,
        "configured-by-the-tests",
        f"{leak.database.name} answered {within(leak.tests)}: {place(caller.file, caller.line)} has the application "
        f"make its engine ({case.leads(chain[:3])}).",
        caller,
    )


def _missing(case: Case, leak: Leak, source: Source) -> Finding | None:
    """The application asked for a variable that was not there, shortly before, and went by something else."""
    asked = _asked_in_vain(case, leak, source)
    if asked is None:
        return None
    return _went_without(case, leak, asked, "variable-missing", "", first(case.evidence.chain(asked)))


def _removed(case: Case, leak: Leak, source: Source) -> Finding | None:
    """What was missing had been there, and code of the project had taken it away."""
    asked = _asked_in_vain(case, leak, source)
    removal = _removal(case, asked) if asked is not None else None
    if asked is None or removal is None:
        return None
    during = f" in {removal.test}" if removal.test and removal.test not in leak.tests else ""
    return _went_without(
        case,
        leak,
        asked,
        "variable-removed",
        f" any more: {writer(case.evidence, removal)} took it away{during}",
        first(case.evidence.chain(removal)),
        (fact(case.evidence, removal, f"{removal.name} taken away"),),
        (("test", removal.test if during and removal.test else ""),),
    )


def _went_without(
    case: Case,
    leak: Leak,
    asked: Variable,
    kind: str,
    gone: str,
    at: Frame | None,
    facts: tuple[Fact, ...] = (),
    about: tuple[tuple[str, str], ...] = (),
) -> Finding:
    kept = f", kept by {leak.engine.held_by[0]}" if leak.engine is not None and leak.engine.held_by else ""
    return _finding(
        case,
        leak,
        kind,
        f"{leak.database.name} answered {within(leak.tests)}: {asked.name} is asked for at "
        f"{case.leads(case.evidence.chain(asked)[:3])} and is not there{gone}, and what stands in its place{kept} "
        "leads there.",
        at,
        (*facts, fact(case.evidence, asked, f"{asked.name} asked for, and not there")),
        (("variable", asked.name), ("url", leak.engine.url if leak.engine is not None else ""), *about),
    )


def _asked_in_vain(case: Case, leak: Leak, source: Source) -> Variable | None:
    """The variable that was missing when the application asked for it: a leak's place comes from its default."""
    if source.kind == "variable":
        return None
    if source.asked is not None:
        return source.asked
    made = leak.engine or leak.first.connection
    asked = [
        event
        for event in case.evidence.variables
        if event.op == "missing"
        and event.process == made.process
        and event.at_s <= made.at_s
        and not any(case.of_tests(frame.file) for frame in case.evidence.chain(event)[:1])
        and not _there_later(case, event, made.at_s)
    ]
    return asked[-1] if asked else None


def _removal(case: Case, asked: Variable) -> Variable | None:
    """The last thing that befell a variable before it was asked for, where code of the project took it away."""
    befell = [
        event
        for event in case.evidence.variables
        if event.op in ("set", "removed")
        and (event.name, event.process) == (asked.name, asked.process)
        and event.at_s <= asked.at_s
    ]
    by = case.evidence.chain(befell[-1])[:1] if befell else ()
    taken_away = befell and befell[-1].op == "removed" and by and not by[0].file.startswith("site-packages")
    return befell[-1] if taken_away else None


def _there_later(case: Case, asked: Variable, until_s: float) -> bool:
    """Whether a variable that was missing was found after all, before the engine was made."""
    return any(
        event.op == "read" and not event.whole and event.name == asked.name and asked.at_s < event.at_s <= until_s
        for event in case.evidence.variables
        if event.process == asked.process
    )


def _not_overridden(case: Case, leak: Leak) -> Finding | None:
    """A dependency supplied it, nothing stood in for that, and the tests have a database of their own."""
    dependency = leak.first.dependency
    wrong = {other.database.id for other in case.leaks}
    ours = next(
        (
            reach
            for reach in case.reached
            if reach.database.id not in wrong and reach.engine is not None and _made_by_tests(case, reach.engine)
        ),
        None,
    )
    if leak.first.how != "dependency" or dependency is None or ours is None or ours.engine is None:
        return None
    made = first(case.evidence.chain(ours.engine))
    return _finding(
        case,
        leak,
        "dependency-not-overridden",
        f"{case.served(leak)} got its session from {dependency.name} ({leak.opener}), which nothing overrides "
        f"{within(leak.tests)}: {leak.database.name} answered, and not {ours.database.name}, whose engine the tests "
        f"make at {made}.",
        leak.opener,
        about=(("callable", dependency.name), ("ours", f"{place(made.file, made.line)}" if made else "")),
    )


def _made_by_tests(case: Case, engine: Engine) -> bool:
    return any(case.of_tests(frame.file) for frame in case.evidence.chain(engine)[:1])


def _attached(case: Case, leak: Leak) -> Finding | None:
    """A statement brings it to a connection to another database, which can be just what the tests mean."""
    name = leak.first.connection.attached_as
    if name is None:
        return None
    at = first(case.evidence.chain(leak.first.connection))
    to = attached_to(case.reached, leak.first)
    return _finding(
        case,
        leak,
        "attached-database",
        f"{leak.database.name} is attached as {name} to {f'a connection to {to.name}' if to else 'a connection'} at "
        f"{place(at.file, at.line) if at else '?'}, {within(leak.tests)}: whatever that connection leads to, what is "
        f"said to {name} is said there.",
        at,
        about=(("name", name),),
    )


def _reached(case: Case, leak: Leak) -> Finding:
    word = "is not allowed" if case.allowed.patterns is not None else "is not where the tests lead"
    return _finding(
        case,
        leak,
        "database-reached",
        f"{leak.database.name}, which {word}, was reached by "
        f"{case.leads(leak.first.chain[:4]) or 'no code of the project'} "
        f"({leak.first.how}) {within(leak.tests)}.",
        leak.opener,
    )


def _finding(
    case: Case,
    leak: Leak,
    kind: str,
    message: str,
    at: Frame | None,
    facts: Iterable[Fact] = (),
    about: tuple[tuple[str, str], ...] = (),
) -> Finding:
    return Finding(
        kind,
        message,
        at.file if at else None,
        at.line if at else None,
        (*facts, *reach_facts(case, leak)),
        (leak.database.id,),
        leak.tests,
        about,
    )
