"""Evidence: everything that one run left behind, as frozen values that go to JSON and back.

What the probes saw in the process and what the servers logged are kept apart, so that they can be compared.
Times are seconds since the run began. Files are named from the project's folder where they lie in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec

from kit.errors import EvidenceError
from kit.evidence.written import (
    AppName,
    CallableName,
    ConnectionName,
    EngineName,
    Event,
    FactoryName,
    File,
    LoopName,
    ModuleName,
    ObjectName,
    RequestName,
    SessionName,
    Stack,
)
from kit.specimens.trial import Trial
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

    `stack` is an index into `Evidence.stacks`; None where no code of the project led to it. `phase` is start,
    configure, collection, setup, call, teardown, between or finish; `stage` is set where a request is a lifespan, a
    websocket or a background task.
    """

    at_s: float
    stack: Stack | None = None
    process: int = 0
    phase: str = "start"
    test: str | None = None
    fixture: str | None = None
    scope: str | None = None
    collecting: str | None = None
    request: RequestName | None = None
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
    nobody watched. `literal` is the global (module.name) that stands at the line which named it and is given that text
    by its module, "" where the text stands there itself, None for neither.
    """

    engine: EngineName
    url: str
    dialect: str
    driver: str
    pool: str
    variables: tuple[str, ...] | None = ()
    files: tuple[tuple[File, int, str], ...] | None = ()
    held_by: tuple[str, ...] = ()
    literal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectListener(Entry):
    """A function of the application's that is told each time an engine connects, and may change where to."""

    engine: EngineName
    function: str
    file: File
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection(Entry):
    """A driver connected: where it was told to (`configured`), and what the live server said of itself (`observed`).

    `observed` is None where the server could not be asked, and `why_not` says why. Of a SQLite file that a statement
    attached, `attached_to` is the connection that has it since, and `attached_as` its name there. `fresh` says that a
    file was not there before. `peer` is the other end by the system's word: its address (of a unix socket the folder),
    its port, and whether it is on this machine. `literal` is that of an engine, where it has none.
    """

    connection: ConnectionName
    driver: str
    configured: str
    observed: dict[str, str | None] | None
    why_not: str | None = None
    pooled: bool = False
    engine: EngineName | None = None
    loop: LoopName | None = None
    attached_to: ConnectionName | None = None
    attached_as: str | None = None
    fresh: bool = False
    peer: tuple[str, str, bool] | None = None
    literal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedConnection(Entry):
    """A driver could not connect."""

    driver: str
    configured: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignLoop(Entry):
    """A connection that is bound to one event loop was used on another."""

    connection: ConnectionName
    engine: EngineName | None
    opened_on: LoopName
    used_on: LoopName


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOpen(Entry):
    """A transaction was still open when its test had ended; `begun_*` tell when it began, `tables` what it wrote to."""

    connection: ConnectionName
    engine: EngineName | None
    session: SessionName | None
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
    reader: ConnectionName
    writer: ConnectionName
    reading: SessionName | None
    writing: SessionName | None
    written_at: Stack
    written_in: str | None = None
    written_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a name holds: which object, of which type, bound to which engine; `app` where it is an application."""

    object: ObjectName
    type: str
    engine: EngineName | None = None
    app: AppName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Entry):
    """A global of the application's (`module`, `name`), or of an application's state, that leads to a database.

    `op` is held (seen first), rebound (it holds another, or one that is bound elsewhere) or unbound. It was seen at
    the end of the phase in which it changed.
    """

    op: str
    module: ModuleName
    name: str
    holds: Held | None = None
    held_before: Held | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Module(Entry):
    """A file of the application's was executed again, as module `name`; `names` are all that it is loaded as."""

    file: File
    name: str | None
    times: int
    reloaded: bool
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile(Entry):
    """A file with settings was opened; `entries` are the lines (number, name, value) that can lead to a database."""

    file: File
    entries: tuple[tuple[int, str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Entry):
    """A text in the program's state that names a database was replaced by another.

    `name` is its place (module.global.attribute['key']), `key` the last part of that, `before` the text that was there,
    None for none. `op` is changed, or restored where it is the first again that was seen there. `also` are other places
    which still held what this one had held. Its stack is the line that wrote it, as far as the texts of the tests tell.
    """

    op: str
    name: str
    key: str
    value: str
    before: str | None = None
    also: tuple[str, ...] = ()


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
    """A connection was stopped before its first statement: `entry` would have to be on the allow-list.

    `because` is why where no entry names it not, `done` how far it came. `connection` names the one that was asked for,
    None where it is a program's or a statement. The rest is as of a `Use`, as far as it is known before there is one.
    """

    database: str
    entry: str
    observed: dict[str, str | None] | None = None
    why_not: str | None = None
    because: str = ""
    done: str = ""
    connection: ConnectionName | None = None
    engine: EngineName | None = None
    session: SessionName | None = None
    dependency: CallableName | None = None
    override: CallableName | None = None
    inside: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Entry):
    """An intervention had an effect; `number` is its position among those of the re-run."""

    op: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(Entry):
    """An SQLAlchemy session was made, on an engine, unless what it asks for is sent to others.

    `routed_by` is get_bind where its class has one of the application's own, binds where it was given some.
    `routed_at`, an index into `Evidence.stacks`, leads there. `factory` made it; `scoped` where it was for a
    scoped_session, which keeps it until it is removed.
    """

    session: SessionName
    engine: EngineName | None = None
    factory: FactoryName | None = None
    scoped: bool = False
    routed_by: str | None = None
    routed_at: Stack | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactoryBound(Entry):
    """A factory of sessions (`sessionmaker`) was bound to another engine (`configure`); `before` is the one before."""

    factory: FactoryName
    engine: EngineName
    before: EngineName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use(Entry):
    """A connection ran its first statement for a test, phase and request.

    `dependency` is the callable whose value it came through, `override` the one that stood in for it; both None
    where the application reached past its dependencies. `inside` is endpoint or dependency where the code of one
    was running, None in middleware and elsewhere. `verb` and `tables` are the first statement's.
    """

    connection: ConnectionName
    engine: EngineName | None = None
    session: SessionName | None = None
    writes: bool = False
    verb: str = ""
    tables: tuple[str, ...] = ()
    dependency: CallableName | None = None
    override: CallableName | None = None
    inside: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class App(Entry):
    """An application object was made."""

    app: AppName
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Entry):
    """An application took a request (or ran its lifespan). `within` is the outer request, for a mounted application."""

    number: RequestName
    app: AppName | None
    type: str
    method: str
    path: str
    within: RequestName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies(Entry):
    """What was chosen for each dependency of a request, or of the callable `of`: (declared, override or None).

    `consulted` is False where the route has no provider, so that no override can ever reach it. `passed_over` are
    dependencies whose own name leads to something else by then, each with what it leads to.
    """

    consulted: bool
    provider: AppName | None
    supplied_by: tuple[tuple[CallableName, CallableName | None], ...]
    of: CallableName | None = None
    passed_over: tuple[tuple[CallableName, CallableName], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Override(Entry):
    """An application's overrides changed: `op` is set, replaced or removed."""

    op: str
    app: AppName | None
    key: CallableName
    by: CallableName | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideCheck(Entry):
    """Which override keys of an application are among its dependencies, and which are none of them.

    `known_as` names the global (module.name) that holds a callable which its own name does not lead to: (callable,
    global), of the keys that are none and of all dependencies.
    """

    app: AppName | None
    matched: tuple[CallableName, ...]
    missed: tuple[CallableName, ...]
    known_as: tuple[tuple[CallableName, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route with dependencies. `consulted` is False where overrides are never looked up for it."""

    path: str
    endpoint: CallableName | None
    consulted: bool
    calls: tuple[CallableName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """All that an application depended on, when an override key of some application was none of its dependencies."""

    app: AppName
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppParts:
    """What an application is made of when it first serves; the parts are callables. `like`: the same as another's."""

    app: AppName
    like: AppName | None = None
    endpoints: tuple[tuple[str, CallableName | None], ...] = ()
    middleware: tuple[CallableName, ...] = ()
    lifespan: CallableName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callable:
    """A dependency, an override, an endpoint ..., and where it is defined.

    `type` is function, method, class, instance, partial or annotated; `inner` is what the last two stand for.
    """

    callable: CallableName
    name: str
    file: File | None
    line: int | None
    type: str = "function"
    inner: CallableName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a test ended, as pytest says it: passed, failed, skipped, xfailed or xpassed; `message` in one short text.

    `at` is the line, as `file:line`, that raised the error of a test that failed, None where that is not known.
    """

    test: str
    when: str
    outcome: str
    at_s: float
    message: str | None = None
    duration_s: float = 0.0
    at: str | None = None


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
class Rows:
    """How many sites one side's database held before a trial and after it, as its server counted; None: no table."""

    side: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that one run left behind. `modes` are variables that name no database, and can decide which is used.

    `sides` names each server that is known: its identity -> its side.

    `running` are the processes that ran on when the command had ended. `guard` is what kept the run from databases off
    the allow-list: one of the words in `kit.analysis.stopped`; "" where that is not known.

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
    guard: str = ""
    processes: tuple[Process, ...] = ()
    stacks: tuple[tuple[Frame, ...], ...] = ()
    variables: Annotated[tuple[Variable, ...], Event("environment")] = ()
    modes: Annotated[tuple[Variable, ...], Event("mode")] = ()
    engines: Annotated[tuple[Engine, ...], Event("engine")] = ()
    connect_listeners: Annotated[tuple[ConnectListener, ...], Event("connect_listener")] = ()
    connections: Annotated[tuple[Connection, ...], Event("connection")] = ()
    refusals: Annotated[tuple[Refusal, ...], Event("refusal")] = ()
    changes: Annotated[tuple[Change, ...], Event("change")] = ()
    sessions: Annotated[tuple[Session, ...], Event("session")] = ()
    factories_bound: Annotated[tuple[FactoryBound, ...], Event("factory_bound")] = ()
    uses: Annotated[tuple[Use, ...], Event("use")] = ()
    apps: Annotated[tuple[App, ...], Event("app")] = ()
    requests: Annotated[tuple[Request, ...], Event("request")] = ()
    dependencies: Annotated[tuple[Dependencies, ...], Event("dependencies")] = ()
    overrides: Annotated[tuple[Override, ...], Event("override")] = ()
    override_checks: Annotated[tuple[OverrideCheck, ...], Event("override_check")] = ()
    graphs: Annotated[tuple[Graph, ...], Event("graph")] = ()
    app_parts: Annotated[tuple[AppParts, ...], Event("app_parts")] = ()
    callables: Annotated[tuple[Callable, ...], Event("callable")] = ()
    names: Annotated[tuple[Name, ...], Event("name")] = ()
    modules: Annotated[tuple[Module, ...], Event("module")] = ()
    settings_files: Annotated[tuple[SettingsFile, ...], Event("settings_file")] = ()
    settings: Annotated[tuple[Setting, ...], Event("setting")] = ()
    folders: Annotated[tuple[Folder, ...], Event("folder")] = ()
    children: Annotated[tuple[Child, ...], Event("child")] = ()
    not_seen: Annotated[tuple[NotSeen, ...], Event("not_seen")] = ()
    failed_connections: Annotated[tuple[FailedConnection, ...], Event("connection_failed")] = ()
    foreign_loops: Annotated[tuple[ForeignLoop, ...], Event("foreign_loop")] = ()
    left_open: Annotated[tuple[LeftOpen, ...], Event("left_open")] = ()
    unseen: Annotated[tuple[Unseen, ...], Event("unseen")] = ()
    statements: dict[str, int] = field(default_factory=dict)
    outcomes: Annotated[tuple[Outcome, ...], Event("outcome")] = ()
    backends: tuple[Backend, ...] | None = None
    rows: tuple[Rows, ...] = ()
    sides: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    running: tuple[int, ...] = ()
    format: int = FORMAT

    def chain(self, entry: Entry) -> tuple[Frame, ...]:
        """The application's frames that led to an entry, innermost first."""
        return self.stacks[entry.stack] if entry.stack is not None else ()

    def lineage(self, process: int) -> frozenset[int]:
        """A process and those that it was forked from: what they had made and changed before, it began with."""
        numbers = {one.pid: number for number, one in enumerate(self.processes)}
        found = {process}
        while process < len(self.processes) and self.processes[process].forked:
            process = numbers.get(self.processes[process].ppid, process)
            if process in found:
                break
            found.add(process)
        return frozenset(found)

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
        """How the connection was obtained: override, dependency, background task, lifespan, past dependencies ..."""
        if self.override is not None and self.dependency is not None:
            return "override"
        if self.dependency is not None:
            return "dependency"
        if self.use.stage is not None:
            return self.use.stage
        if self.use.request is not None:
            return "without a dependency"
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
