"""Where did an engine's URL come from? The variable that holds it, its last write before, and later writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kit.analysis.reach import Reach
from kit.evidence.model import Engine, Entry, Evidence, Frame, Variable
from kit.probes.allow import place_of
from kit.probes.places import Place, place

INHERITED = "the environment of the command"
_OF_LIBPQ = re.compile(r"PG(HOST|HOSTADDR|PORT|DATABASE|USER)$")
_LOADERS = ("dotenv", "environs", "decouple", "dynaconf", "pytest_dotenv", "pytest_env")


@dataclass(frozen=True, slots=True)
class Source:
    """The source of an engine's URL.

    `kind` is variable, default (the variable was read but not set, see `asked`, and this default was used), text (no
    variable holds it: it is in the source, or was built from parts) or unknown (no probe saw it). `written` is the last
    write of the variable before the engine was made, `read` its last read; `since` are later writes of another value,
    which had no effect on this engine. `also` are other variables with the same value, which may be the source as well.
    """

    kind: str
    variable: str | None = None
    written: Variable | None = None
    read: Variable | None = None
    since: tuple[Variable, ...] = ()
    asked: Variable | None = None
    also: tuple[str, ...] = ()

    @property
    def named(self) -> str:
        """The variable as messages name it."""
        if not self.also:
            return self.variable or ""
        holds = "holds" if len(self.also) == 1 else "hold"
        return f"{self.variable} (or {' or '.join(self.also)}, which {holds} the same)"


def source_of(evidence: Evidence, engine: Engine) -> Source:
    """The source of an engine's URL."""
    if engine.variables is None:
        return Source("unknown")
    if not engine.variables:
        return _default(evidence, engine, lambda value: None is not place(value) == place(engine.url))
    name = engine.variables[0]
    events = [event for event in evidence.variables if event.name == name and event.process == engine.process]
    before = [event for event in events if event.at_s <= engine.at_s]
    return Source(
        "variable",
        name,
        _last(before, "set", "inherited"),
        _last(before, "read"),
        tuple(event for event in events if event.at_s > engine.at_s and _changes(evidence, event)),
        also=_as_well(evidence, engine),
    )


def _as_well(evidence: Evidence, engine: Engine) -> tuple[str, ...]:
    """The other variables that hold an engine's URL; unread ones only if the first was not read either."""
    first, *others = engine.variables or ("",)
    asked_for = {
        event.name
        for event in evidence.variables
        if event.op == "read" and not event.whole and event.process == engine.process and event.at_s <= engine.at_s
    }
    return tuple(name for name in others if name in asked_for or first not in asked_for)


def named_in_files(evidence: Evidence, engine: Engine) -> list[tuple[str, int, str, str | None]]:
    """The lines of settings files (file, line, name, value) that hold an engine's URL, else its database name."""
    entries = [
        (event.file, line, name, value) for event in evidence.settings_files for line, name, value in event.entries
    ]
    whole = {tuple(place) for place in engine.files or ()}
    found = [entry for entry in entries if entry[:3] in whole]
    database = place_of(engine.url).database
    found = found or [entry for entry in entries if entry[3] == database]
    return list(dict.fromkeys(found))


def passed_over(evidence: Evidence, name: str, value: str | None) -> tuple[str, int, str] | None:
    """The line of a settings file (file, line, value) that sets a variable to another value than `value`."""
    return next(
        (
            (event.file, line, other)
            for event in evidence.settings_files
            for line, entry, other in event.entries
            if entry.upper() == name.upper() and other and value and other != value
        ),
        None,
    )


def parts_of(evidence: Evidence, made: Entry, url: str) -> dict[str, Variable]:
    """The variables from which host, port and database of a server's URL were built, with their last events.

    Only variables that were set or inherited, and read, or missing with this default, before the engine or connection
    was made. That libpq reads its own is not seen.
    """
    named = place(url)
    if named is None or not any(named[1:3]):
        return {}
    wanted = dict(zip(("host", "port", "database"), named[1:], strict=True))
    found: dict[str, Variable] = {}
    before = [
        event
        for event in sorted((*evidence.variables, *evidence.parts), key=lambda event: event.at_s)
        if event.process == made.process and event.at_s <= made.at_s
    ]
    read = {event.name for event in before if event.op == "read"}
    for event in before:
        used = event.name in read or _OF_LIBPQ.match(event.name) is not None
        if event.op == "missing" or (event.op in ("set", "inherited") and used):
            found.update({part: event for part, value in wanted.items() if value and event.value == value})
    return found


def read_at(evidence: Evidence, made: Entry, name: str) -> Frame | None:
    """The line that read a variable last before an engine or a connection was made; None where none was seen."""
    events = (event for event in (*evidence.variables, *evidence.parts) if event.name == name and event.op == "read")
    before = [event for event in events if event.process == made.process and event.at_s <= made.at_s]
    chain = evidence.chain(before[-1]) if before else ()
    return chain[0] if chain and not chain[0].file.startswith("site-packages/") else None


def url_source_of(evidence: Evidence, reach: Reach) -> Source:
    """The URL source of a reach; without an engine, the variable that held the URL when the connection was opened."""
    if reach.engine is not None:
        return source_of(evidence, reach.engine)
    events = [event for event in evidence.variables if event.process == reach.entry.process]
    before = [event for event in events if event.at_s <= reach.connection.at_s]
    named = [event for event in before if event.op != "missing" and not event.whole]
    holding = [event for event in named if event.value and leads_to(event.value, reach)]
    if not holding:
        return _default(evidence, reach.connection, lambda value: leads_to(value, reach))
    asked_for = [event for event in holding if event.op == "read"] or holding
    name = asked_for[-1].name
    mine = [event for event in before if event.name == name]
    return Source(
        "variable",
        name,
        _last(mine, "set", "inherited"),
        _last(mine, "read"),
        tuple(
            event
            for event in events
            if event.name == name and event.at_s > reach.connection.at_s and _changes(evidence, event)
        ),
        also=tuple(dict.fromkeys(event.name for event in asked_for if event.name != name)),
    )


def _default(evidence: Evidence, made: Entry, is_it: Callable[[str], bool]) -> Source:
    """The default of an unset variable, if it is the URL of `made`; otherwise text."""
    for asked in reversed(evidence.variables):
        if asked.op != "missing" or asked.process != made.process or asked.at_s > made.at_s or not asked.value:
            continue
        if is_it(asked.value):
            mine = [event for event in evidence.variables if (event.name, event.process) == (asked.name, made.process)]
            since = tuple(event for event in mine if event.op == "set" and event.at_s > asked.at_s)
            return Source("default", asked.name, asked=asked, since=since)
    return Source("text")


def _same_server(named: Place | None, reached: Place | None) -> bool:
    """Whether a URL names the reached server and database; a missing user or port matches any."""
    if named is None or reached is None or not (named[1] and named[3]):
        return False
    user, port = named[0] or reached[0], named[2] or reached[2]
    return (user, named[1], port, named[3]) == (reached[0] or user, reached[1], reached[2] or port, reached[3])


def leads_to(value: str, reach: Reach) -> bool:
    """Whether a value names the database of a reach, by its URL or by the path of its file.

    Drivers report a URL in different forms, for example without the password.
    """
    if value == reach.connection.configured or _same_server(place(value), place(reach.connection.configured)):
        return True
    path = reach.database.path
    bare = value.partition(":///")[2] or value
    return path is not None and len(bare) > 1 and path.endswith(bare.removeprefix("."))


def writer(evidence: Evidence, event: Variable) -> str:
    """Describe what wrote a variable; for a library that read it from a file, the file."""
    chain, held = evidence.chain(event), _held_in(evidence, event)
    if event.op == "inherited":
        return f"{INHERITED} ({held} holds the same)" if held else INHERITED
    if held and all(frame.file.startswith("site-packages/") for frame in chain):
        return f"{held} ({(event.written_by or '').partition('.')[0]})"
    return f"{chain[0].file}:{chain[0].line}" if chain else "no code of the project"


def _held_in(evidence: Evidence, event: Variable) -> str:
    """The line of a settings file that sets a variable to its present value; "" if no file does."""
    return next(
        (
            f"{file.file}:{line}"
            for file in evidence.settings_files
            for line, name, value in file.entries
            if (name, value) == (event.name, event.value) and file.process == event.process
        ),
        "",
    )


def made_at(evidence: Evidence, engine: Engine) -> Frame | None:
    """The application's frame that made an engine."""
    chain = evidence.chain(engine)
    return chain[0] if chain else None


def _changes(evidence: Evidence, event: Variable) -> bool:
    """Tell whether a variable was given another value, and not its own back as a fixture of pytest's ends."""
    of_the_project = any(not frame.file.startswith("site-packages/") for frame in evidence.chain(event))
    return event.op in ("set", "removed") and not event.same and (event.phase != "teardown" or of_the_project)


def _last(events: Iterable[Variable], *ops: str) -> Variable | None:
    found = [event for event in events if event.op in ops]
    return found[-1] if found else None


def loaded_from_file(event: Variable) -> bool:
    """Whether a library that loads dotenv files wrote a variable."""
    return (event.written_by or "").partition(".")[0] in _LOADERS
