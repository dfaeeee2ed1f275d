"""Evidence: everything that one run left behind, as frozen values that go to JSON and back.

What the probes saw in the process and what the servers logged are kept apart, so that they can be compared.
Times are seconds since the run began. Files are named from the project's folder where they lie in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from kit.errors import EvidenceError
from kit.trial import Trial
from kit.typed import typed

FORMAT = 2  # 1: first; 2: what was not seen, and every process that was started
_READ = (1, FORMAT)


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in a program's text. `called_by` is the library that lies between it and the application's next frame."""

    file: str
    line: int
    function: str
    called_by: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that a probe saw: when, in which process, during which test and request, and whose code led to it.

    `stack` is an index into `Evidence.stacks`; None where nobody's code led to it. `phase` is start, configure,
    collection, setup, call, teardown, between or finish; `stage` is set where a request is a lifespan, a websocket
    or a background task.
    """

    at_s: float
    stack: int | None = None
    process: int = 0
    phase: str = "start"
    test: str | None = None
    fixture: str | None = None
    scope: str | None = None
    collecting: str | None = None
    request: str | None = None
    stage: str | None = None
    thread: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable(Entry):
    """A database variable was inherited, read, asked for and missing, set or removed, or kept by `setdefault`.

    Or, as `assigned`, what settings had made of it was replaced in them.

    `value` is redacted; None where it has none. Of one that is missing, it is what was taken instead, where that is
    known. `same` says that it was set to what it held; `written_by` is the module that set or removed it, such as
    `dotenv.main`, or that looked for it on behalf of a class of settings; `whole` that it was read with all others, not
    by its name.
    """

    op: str
    name: str
    value: str | None
    same: bool = False
    written_by: str | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine(Entry):
    """An engine was made, or a pool of a driver's own.

    Each of these holds the place that its URL names, the one looked at last foremost: `variables`, the lines of
    settings files (file, line, name), and what of the application's own holds it (module.name.attribute). None where
    nobody watched.
    """

    engine: str
    url: str
    dialect: str
    driver: str
    pool: str
    variables: tuple[str, ...] | None = ()
    files: tuple[tuple[str, int, str], ...] | None = ()
    held_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectListener(Entry):
    """A function of the application's that is told each time an engine connects, and may change where to."""

    engine: str
    function: str
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection(Entry):
    """A driver connected: where it was told to (`configured`), and what the live server said of itself (`observed`).

    `observed` is None where the server could not be asked, and `why_not` says why. Of a SQLite file that a statement
    attached, `attached_to` is the connection that has it since, and `attached_as` its name there. `fresh` says that a
    file was not there before. `peer` is the other end by the system's word: its address (of a unix socket the folder),
    its port, and whether it is on this machine.
    """

    connection: str
    driver: str
    configured: str
    observed: dict[str, str | None] | None
    why_not: str | None = None
    pooled: bool = False
    engine: str | None = None
    loop: str | None = None
    attached_to: str | None = None
    attached_as: str | None = None
    fresh: bool = False
    peer: tuple[str, str, bool] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedConnection(Entry):
    """A driver could not connect."""

    driver: str
    configured: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignLoop(Entry):
    """A connection that is bound to one event loop was used on another."""

    connection: str
    engine: str | None
    opened_on: str
    used_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOpen(Entry):
    """A transaction was still open when its test had ended; `begun_*` tell when it began, `tables` what it wrote to."""

    connection: str
    engine: str | None
    session: str | None
    begun_in: str | None
    begun_at: str
    begun_by: str | None
    begun_scope: str | None
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen(Entry):
    """A table was read on one connection while another had rows in it that were not committed.

    `written_at` is an index into `Evidence.stacks`, `written_in` the test, `written_by` the fixture.
    """

    table: str
    reader: str
    writer: str
    reading: str | None
    writing: str | None
    written_at: int
    written_in: str | None = None
    written_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a name holds: which object, of which type, bound to which engine; `app` where it is an application."""

    object: str
    type: str
    engine: str | None = None
    app: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Entry):
    """A global of the application's (`module`, `name`), or of an application's state, that leads to a database.

    `op` is held (seen first), rebound (it holds another, or one that is bound elsewhere) or unbound. It was seen at
    the end of the phase in which it changed.
    """

    op: str
    module: str
    name: str
    holds: Held | None = None
    held_before: Held | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Module(Entry):
    """A file of the application's was executed again, as module `name`; `names` are all that it is loaded as."""

    file: str
    name: str | None
    times: int
    reloaded: bool
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile(Entry):
    """A file with settings was opened; `entries` are the lines (number, name, value) that can lead to a database."""

    file: str
    entries: tuple[tuple[int, str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder(Entry):
    """The working directory was changed from `before` to `path`."""

    path: str
    before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Child(Entry):
    """A process was started. `pid` is its number and `python` whether it is a Python, None where that is not known.

    `dropped` are variables that its environment lacks, of those that can lead to a database. `watched` is False where
    the environment lacks the probes, too, and None where nobody looked.
    """

    program: str
    dropped: tuple[str, ...] = ()
    watched: bool | None = None
    pid: int | None = None
    python: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSeen(Entry):
    """What a probe could not see, in its own words.

    `what` is driver (a library that connected, and has no probe), child (a process that took no probes in), imports
    (the import system was replaced), record (lines were lost or cut), probe (a probe failed and is off) or client (a
    database's own program was run: `asked` is the URL or the file that its words and variables lead to).
    """

    what: str
    name: str
    why: str = ""
    asked: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Entry):
    """A connection was stopped before its first statement: `entry` would have to be on the allow-list."""

    database: str
    entry: str
    observed: dict[str, str | None] | None = None
    why_not: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Entry):
    """A change of an experiment took hold; `number` is its place among the experiment's changes."""

    op: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(Entry):
    """An SQLAlchemy session was made, on an engine, unless what it asks for is sent to others.

    `routed_by` is get_bind where its class has one of the application's own, binds where it was given some.
    `routed_at`, an index into `Evidence.stacks`, leads there.
    """

    session: str
    engine: str | None = None
    routed_by: str | None = None
    routed_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use(Entry):
    """A connection ran its first statement for a test, phase and request.

    `dependency` is the callable whose value it came through, `override` the one that stood in for it; both None
    where the application reached past its dependencies. `inside` is endpoint or dependency where the code of one
    was running, None in middleware and elsewhere. `verb` and `tables` are the first statement's.
    """

    connection: str
    engine: str | None = None
    session: str | None = None
    writes: bool = False
    verb: str = ""
    tables: tuple[str, ...] = ()
    dependency: str | None = None
    override: str | None = None
    inside: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class App(Entry):
    """An application object was made."""

    app: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Entry):
    """An application took a request (or ran its lifespan). `within` is the outer request, for a mounted application."""

    number: str
    app: str | None
    type: str
    method: str
    path: str
    within: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies(Entry):
    """What was chosen for each dependency of a request, or of the callable `of`: (declared, override or None).

    `consulted` is False where the route has no provider, so that no override can ever reach it.
    """

    consulted: bool
    provider: str | None
    supplied_by: tuple[tuple[str, str | None], ...]
    of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Override(Entry):
    """An application's overrides changed: `op` is set, replaced or removed."""

    op: str
    app: str | None
    key: str
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideCheck(Entry):
    """Which override keys of an application are among its dependencies, and which are none of them.

    `known_as` names the global (module.name) that holds a callable which its own name does not lead to: (callable,
    global), of the keys that are none and of all dependencies.
    """

    app: str | None
    matched: tuple[str, ...]
    missed: tuple[str, ...]
    known_as: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route with dependencies. `consulted` is False where overrides are never looked up for it."""

    path: str
    endpoint: str | None
    consulted: bool
    calls: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """All that an application depended on, when an override key of some application was none of its dependencies."""

    app: str
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppParts:
    """What an application is made of when it first serves; the parts are callables. `like`: the same as another's."""

    app: str
    like: str | None = None
    endpoints: tuple[tuple[str, str | None], ...] = ()
    middleware: tuple[str, ...] = ()
    lifespan: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callable:
    """A dependency, an override, an endpoint ..., and where it is defined.

    `type` is function, method, class, instance, partial or annotated; `inner` is what the last two stand for.
    """

    callable: str
    name: str
    file: str | None
    line: int | None
    type: str = "function"
    inner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a test ended, as pytest says it: passed, failed, skipped, xfailed or xpassed; `message` in one short text."""

    test: str
    when: str
    outcome: str
    at_s: float
    message: str | None = None
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """An interpreter that had the probes in. `ended` is False where it was killed before it could say so.

    `left_out` counts the events, by kind, that were too many of the same to be written down.
    """

    pid: int
    ppid: int
    argv: tuple[str, ...]
    executable: str
    python: str
    parent: str | None
    probes: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()
    failures: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    forked: bool = False
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The second witness: what one server logged of one connection that is not the kit's own."""

    side: str
    pid: int
    database: str
    user: str
    application: str
    statements: int
    writes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that one run left behind. `modes` are variables that name no database, and can decide which is used.

    `sides` names each server that is known: its identity -> its side.

    `running` are the processes that ran on when the command had ended.

    `forked` says that a fork of a warm parent stood in for a new interpreter; where one could not, `why_not_forked`
    says why. `statements` counts what each connection ran.
    """

    trial: Trial | None = None
    command: tuple[str, ...] = ()
    exit_code: int | None = None
    timed_out: bool = False
    forked: bool = False
    why_not_forked: str | None = None
    duration_s: float = 0.0
    output: str = ""
    processes: tuple[Process, ...] = ()
    stacks: tuple[tuple[Frame, ...], ...] = ()
    variables: tuple[Variable, ...] = ()
    modes: tuple[Variable, ...] = ()
    engines: tuple[Engine, ...] = ()
    connect_listeners: tuple[ConnectListener, ...] = ()
    connections: tuple[Connection, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    changes: tuple[Change, ...] = ()
    sessions: tuple[Session, ...] = ()
    uses: tuple[Use, ...] = ()
    apps: tuple[App, ...] = ()
    requests: tuple[Request, ...] = ()
    dependencies: tuple[Dependencies, ...] = ()
    overrides: tuple[Override, ...] = ()
    override_checks: tuple[OverrideCheck, ...] = ()
    graphs: tuple[Graph, ...] = ()
    app_parts: tuple[AppParts, ...] = ()
    callables: tuple[Callable, ...] = ()
    names: tuple[Name, ...] = ()
    modules: tuple[Module, ...] = ()
    settings_files: tuple[SettingsFile, ...] = ()
    folders: tuple[Folder, ...] = ()
    children: tuple[Child, ...] = ()
    not_seen: tuple[NotSeen, ...] = ()
    failed_connections: tuple[FailedConnection, ...] = ()
    foreign_loops: tuple[ForeignLoop, ...] = ()
    left_open: tuple[LeftOpen, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    statements: dict[str, int] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()
    backends: tuple[Backend, ...] | None = None
    sides: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    running: tuple[int, ...] = ()
    format: int = FORMAT

    def chain(self, entry: Entry) -> tuple[Frame, ...]:
        """The application's frames that led to an entry, innermost first."""
        return self.stacks[entry.stack] if entry.stack is not None else ()

    def sightings(self) -> tuple[Sighting, ...]:
        """Every use of a connection, joined with the connection, its engine and the place that each was made."""
        connections = {connection.connection: connection for connection in self.connections}
        engines = {engine.engine: engine for engine in self.engines}
        names = {known.callable: known for known in self.callables}
        return tuple(
            Sighting(
                use=use,
                connection=connections[use.connection],
                engine=engines.get(use.engine or ""),
                side=self.side(connections[use.connection]),
                chain=self.chain(use),
                engine_chain=self.chain(engines[use.engine]) if use.engine in engines else (),
                dependency=names.get(use.dependency or ""),
                override=names.get(use.override or ""),
            )
            for use in self.uses if use.connection in connections
        )

    def in_requests(self) -> tuple[Sighting, ...]:
        """The sightings within requests, lifespans and background tasks of an application."""
        return tuple(sighting for sighting in self.sightings() if sighting.use.request is not None)

    def side(self, connection: Connection) -> str | None:
        """The side whose server answered a connection; None where it could not be asked, or is neither."""
        observed = connection.observed or {}
        return self.sides.get(server_of(observed)) if observed else None


@dataclass(frozen=True, slots=True)
class Sighting:
    """One moment at which a database was seen in use.

    *Configured* is `connection.configured`; *observed* is `side`, which the server itself gave (None: not known).
    """

    use: Use
    connection: Connection
    engine: Engine | None
    side: str | None
    chain: tuple[Frame, ...]
    engine_chain: tuple[Frame, ...]
    dependency: Callable | None
    override: Callable | None

    @property
    def opener(self) -> Frame | None:
        """The application's own frame that ran the statement."""
        return self.chain[0] if self.chain else None

    @property
    def how(self) -> str:
        """How the connection was come by: override, dependency, background task, lifespan, past dependencies ..."""
        if self.override is not None and self.dependency is not None:
            return "override"
        if self.dependency is not None:
            return "dependency"
        if self.use.stage is not None:
            return self.use.stage
        if self.use.request is not None:
            return "past the dependencies"
        if self.use.fixture is not None:
            return "fixture"
        return self.use.phase


def server_of(observed: dict[str, str | None]) -> str:
    """The identity of a Postgres server as one text, out of what it said of itself; equal to `Identity.server`."""
    role = "standby" if observed.get("standby") == "true" else "primary"
    return f"{observed.get('system_identifier')}/{observed.get('cluster_name')}/{observed.get('timeline')}/{role}"


def to_json(evidence: Evidence) -> bytes:
    """Write evidence as one JSON object, which `from_json` reads back to an equal value."""
    return msgspec.json.encode(evidence)


def from_json(data: bytes) -> Evidence:
    """Read evidence back; EvidenceError where it is not evidence, or of a format that this version does not know."""
    try:
        found = msgspec.json.decode(data)
        number = found.get("format") if isinstance(found, dict) else None
        if number not in _READ:
            raise EvidenceError(
                f"This record has format {number!r}", wanted=f"format {FORMAT} or older",
                remedy="read it with the version of the kit that wrote it, or run the trial again",
            )
        return typed(found, Evidence)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EvidenceError(f"This is not a record of evidence: {error}", remedy="run the trial again") from None


def load(path: Path) -> Evidence:
    """Read evidence from a file; EvidenceError where it cannot be read."""
    try:
        return from_json(path.read_bytes())
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror}") from None
    except EvidenceError as error:
        raise EvidenceError(f"{path}: {error.found}", wanted=error.wanted, remedy=error.remedy) from None
