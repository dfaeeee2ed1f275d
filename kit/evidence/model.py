"""Evidence: everything that one run left behind, as frozen values that convert to JSON and back.

What the probes saw in the process and what the servers logged are separate, so that they can be compared. Times are
seconds since the run began. Names of files in the project are relative to its folder.
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

FORMAT = 2  # 1: first; 2: adds unseen activity, and every process that was started
_READ = (1, FORMAT)


@dataclass(frozen=True, slots=True)
class Frame:
    """A location in the code. `called_by` is the library between it and the application's next frame."""

    file: str
    line: int
    function: str
    called_by: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One observation of a probe: when, in which process, test and request, and the stack that led to it.

    `stack` is an index into `Evidence.stacks`; None when no code of the project led to it. `phase` is start, configure,
    collection, setup, call, teardown, between or finish; `stage` is set when a request is a lifespan, a websocket or a
    background task.
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
    """A database variable was inherited, read, missing, set, removed, or kept by `setdefault`.

    `op` `assigned` means that an attribute of a settings object, derived from the variable, was replaced.

    `value` is redacted; None when there is none. For a missing variable it is the default that was used, if known.
    `same` means that it was set to the value that it had; `written_by` is the module that set or removed it, such as
    `dotenv.main`, or that read it for a settings class; `whole` means that it was read together with all others, not by
    name.
    """

    op: str
    name: str
    value: str | None
    same: bool = False
    written_by: str | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine(Entry):
    """An engine, or a driver's own pool, was made.

    `variables`, `files` (lines of settings files: file, line, name) and `held_by` (names in the application:
    module.name.attribute) are the sources that contain the database of its URL, the one read last first; None when they
    were not watched. `literal` is the global (module.name) that the line which named the database uses, and that its
    module sets to this text; "" when the line contains the text itself, None for neither.
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
    """A function of the application that is called each time an engine connects, and may change the target."""

    engine: EngineName
    function: str
    file: File
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection(Entry):
    """A driver connected: to the target in `configured`, and the live server reported `observed`.

    `observed` is None when the server could not be asked, with the reason in `why_not`. For a SQLite file that a
    statement attached, `attached_to` is the connection it was attached to and `attached_as` its schema name. `fresh`
    means that the file did not exist before. `peer` is the remote end according to the system: its address (the folder
    of a unix socket), its port, and whether it is on this machine. `literal` is as in Engine, for a connection without
    an engine.
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
    """A transaction was still open after its test; `begun_*` say when and where it began, `tables` what it wrote to."""

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
    """A table was read on one connection while another had uncommitted rows in it.

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
class Wait(Entry):
    """A statement (`verb`) was about to lock a table that another open transaction of the process had used.

    `held_at` is an index into `Evidence.stacks`: the first statement of the other transaction on that table; `held_in`
    its test, `held_by` its fixture, `holding` its session.
    """

    table: str
    verb: str
    waiter: ConnectionName
    holder: ConnectionName
    holding: SessionName | None
    held_at: Stack
    held_in: str | None = None
    held_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted(Entry):
    """The program was interrupted in a statement that waited for a lock; none was begun after it."""

    waiter: ConnectionName


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The object that a name holds: its type, and the engine that it is bound to; `app` for an application."""

    object: ObjectName
    type: str
    engine: EngineName | None = None
    app: AppName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Entry):
    """A global of the application (`module`, `name`), or an attribute of an app's state, that leads to a database.

    `op` is held (first seen), rebound (to another object, or to an object with another engine) or unbound. The change
    was seen at the end of the phase in which it happened.
    """

    op: str
    module: ModuleName
    name: str
    holds: Held | None = None
    held_before: Held | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Module(Entry):
    """A file of the application was executed again, as module `name`; `names` are all modules loaded from it."""

    file: File
    name: str | None
    times: int
    reloaded: bool
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile(Entry):
    """A settings file was opened; `entries` are its lines (number, name, value) that can lead to a database."""

    file: File
    entries: tuple[tuple[int, str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Entry):
    """A section of libpq's service file names what a connection reached, its database at `database_at`.

    `variable` names the file, "" for none.
    """

    connection: ConnectionName
    file: File
    line: int
    database_at: int
    service: str
    variable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given(Entry):
    """A fixture of the project gave a string that names a database; the stack is the fixture's function."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Entry):
    """A string in the program's state (module.global['key']) names the database of a new engine.

    The stack is the line of the module's source on which the string stands. Where it stands on none there, or on
    several, `is_held` is true, and the line assigns the global that holds it.
    """

    name: str
    value: str
    is_held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Entry):
    """A string in the program's state that names a database was replaced.

    `name` is its path (module.global.attribute['key']), `key` the last part of the path, `before` the previous string,
    None for none. `op` is changed, or restored when the first string seen there is back. `also` are other paths that
    still held the previous string. The stack is the line that assigned it, as far as it can be derived from the tests'
    source.
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
    """A process was started. `pid` is its number and `python` whether it is a Python; None when unknown.

    `dropped` are the variables that can lead to a database and are missing from its environment. `watched` is False
    when the environment also lacks the probes, None when that was not checked.
    """

    program: str
    dropped: tuple[str, ...] = ()
    watched: bool | None = None
    pid: int | None = None
    python: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork(Entry):
    """The process was forked from another one with probes, at that time, by the code of the stack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSeen(Entry):
    """Activity that a probe could not see, in the probe's words.

    `what` is driver (a library that connected, and has no probe), child (a process that did not load the probes),
    imports (the import system was replaced), record (lines were lost or cut), probe (a probe failed and is off) or
    client (a database's own program was run: `asked` is the URL or file that its arguments and variables lead to).
    """

    what: str
    name: str
    why: str = ""
    asked: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Entry):
    """A connection was stopped before its first statement: `entry` would have to be on the allow-list.

    `because` is the reason when it is not the allow-list, `done` how far the connection got. `connection` is None when
    a program or a statement was stopped. The other fields are as in `Use`, as far as they are known at that moment.
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
    """An intervention took effect; `number` is its position in the re-run's list."""

    op: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(Entry):
    """An SQLAlchemy session was made. `engine` is None when it distributes its queries over several engines.

    `routed_by` is get_bind when the application's class overrides it, binds when the session was given some;
    `routed_at`, an index into `Evidence.stacks`, is where. `factory` made the session; `scoped` means that it was made
    for a scoped_session, which keeps it until it is removed.
    """

    session: SessionName
    engine: EngineName | None = None
    factory: FactoryName | None = None
    scoped: bool = False
    routed_by: str | None = None
    routed_at: Stack | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactoryBound(Entry):
    """A session factory (`sessionmaker`) was bound to another engine (`configure`); `before` is the previous one."""

    factory: FactoryName
    engine: EngineName
    before: EngineName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use(Entry):
    """A connection ran its first statement for a test, phase and request.

    `dependency` is the callable that supplied it, `override` the callable that replaced that one; both None when it
    came without a dependency. `inside` is endpoint or dependency when the code of one was running, None in middleware
    and elsewhere. `verb` and `tables` are those of the first statement.
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
    """An application received a request, or ran its lifespan. `within` is the outer request, for a mounted one."""

    number: RequestName
    app: AppName | None
    type: str
    method: str
    path: str
    within: RequestName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies(Entry):
    """How each dependency of a request, or of the callable `of`, was resolved: (declared, override or None).

    `consulted` is False when the route has no overrides provider, so that no override can apply. `passed_over` are
    dependencies whose name has been rebound, each with its present value.
    """

    consulted: bool
    provider: AppName | None
    supplied_by: tuple[tuple[CallableName, CallableName | None], ...]
    of: CallableName | None = None
    passed_over: tuple[tuple[CallableName, CallableName], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Override(Entry):
    """An application's overrides changed; `op` is set, replaced or removed.

    `defaults` are the parameters of the new override whose default names a database: (name, value without secrets).
    """

    op: str
    app: AppName | None
    key: CallableName
    by: CallableName | None
    defaults: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideCheck(Entry):
    """Which override keys of an application match one of its dependencies, and which match none.

    `known_as` are (callable, global) pairs: the global (module.name) that holds a callable whose own name does not lead
    to it, for the unmatched keys and for all dependencies.
    """

    app: AppName | None
    matched: tuple[CallableName, ...]
    missed: tuple[CallableName, ...]
    known_as: tuple[tuple[CallableName, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route with dependencies. `consulted` is False when overrides are never looked up for it."""

    path: str
    endpoint: CallableName | None
    consulted: bool
    calls: tuple[CallableName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """All dependencies of an application, recorded when an override key of some application matched none."""

    app: AppName
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppParts:
    """The parts of an application at its first request, as callables. `like`: another application with equal parts."""

    app: AppName
    like: AppName | None = None
    endpoints: tuple[tuple[str, CallableName | None], ...] = ()
    middleware: tuple[CallableName, ...] = ()
    lifespan: CallableName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callable:
    """A dependency, an override, an endpoint or another callable, and where it is defined.

    `type` is function, method, class, instance, partial or annotated; `inner` is the callable wrapped by the last two.
    """

    callable: CallableName
    name: str
    file: File | None
    line: int | None
    type: str = "function"
    inner: CallableName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a test, in pytest's terms: passed, failed, skipped, xfailed or xpassed; `message` is short.

    `at` is the location (`file:line`) that raised the error of a failed test, None when unknown.
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
    """An interpreter with the probes. `ended` is False when it was killed before it could report its end.

    `left_out` counts, by kind, the events that were not recorded because there were too many equal ones.
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
    """The second witness: what a server logged about one connection that is not the kit's own."""

    side: str
    pid: int
    database: str
    user: str
    application: str
    statements: int
    writes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The number of sites in one side's database before and after a trial, as its server counted; None: no table."""

    side: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that one run left behind.

    `modes` are variables that name no database but can decide which one is used, `parts` those that can name a host, a
    port or the like. `sides` maps the identity of each
    known server to its side. `running` are the processes still running after the command had ended. `guard` is how the
    run was kept from databases off the allow-list: one of the words in `kit.analysis.stopped`, "" when unknown.

    `forked` means that the run was a fork of a warm parent instead of a new interpreter; `why_not_forked` is why a fork
    was not possible. `statements` counts the statements of each connection.
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
    parts: Annotated[tuple[Variable, ...], Event("part")] = ()
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
    services: Annotated[tuple[Service, ...], Event("service")] = ()
    given: Annotated[tuple[Given, ...], Event("given")] = ()
    texts: Annotated[tuple[Text, ...], Event("text")] = ()
    folders: Annotated[tuple[Folder, ...], Event("folder")] = ()
    children: Annotated[tuple[Child, ...], Event("child")] = ()
    forks: Annotated[tuple[Fork, ...], Event("fork")] = ()
    not_seen: Annotated[tuple[NotSeen, ...], Event("not_seen")] = ()
    failed_connections: Annotated[tuple[FailedConnection, ...], Event("connection_failed")] = ()
    foreign_loops: Annotated[tuple[ForeignLoop, ...], Event("foreign_loop")] = ()
    left_open: Annotated[tuple[LeftOpen, ...], Event("left_open")] = ()
    unseen: Annotated[tuple[Unseen, ...], Event("unseen")] = ()
    waits: Annotated[tuple[Wait, ...], Event("wait")] = ()
    interrupted: Annotated[tuple[Interrupted, ...], Event("interrupted")] = ()
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
        """A process and its fork ancestors, whose objects and changes it inherited."""
        numbers = {one.pid: number for number, one in enumerate(self.processes)}
        found = {process}
        while process < len(self.processes) and self.processes[process].forked:
            process = numbers.get(self.processes[process].ppid, process)
            if process in found:
                break
            found.add(process)
        return frozenset(found)

    def sightings(self) -> tuple[Sighting, ...]:
        """Every use of a connection, joined with the connection, its engine and their stacks."""
        connections = {connection.connection: connection for connection in self.connections}
        engines = {engine.engine: engine for engine in self.engines}
        sides = {name: self.side(connection) for name, connection in connections.items()}
        names = {known.callable: known for known in self.callables}
        return tuple(
            Sighting(
                use=use,
                connection=connections[use.connection],
                engine=engines.get(use.engine or ""),
                side=sides[use.connection],
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
        """The side whose server answered a connection; None when it could not be asked, or is neither."""
        observed = connection.observed or {}
        return self.sides.get(server_of(observed)) if observed else None


@dataclass(frozen=True, slots=True)
class Sighting:
    """One use of a database.

    *Configured* is `connection.configured`; *observed* is `side`, from the server itself (None: unknown).
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
        """How the connection was obtained: override, dependency, background task, lifespan, without a dependency ..."""
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
    """The identity of a Postgres server as one string, from what it reported; equal to `Identity.server`."""
    role = "standby" if observed.get("standby") == "true" else "primary"
    return f"{observed.get('system_identifier')}/{observed.get('cluster_name')}/{observed.get('timeline')}/{role}"


def to_json(evidence: Evidence) -> bytes:
    """Write evidence as one JSON object, which `from_json` reads back to an equal value."""
    return msgspec.json.encode(evidence)


def from_json(data: bytes) -> Evidence:
    """Read evidence from JSON. Raises EvidenceError for other data, or a format that this version does not support."""
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
    """Read evidence from a file. Raises EvidenceError when it cannot be read."""
    try:
        return from_json(path.read_bytes())
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror}") from None
    except EvidenceError as error:
        raise EvidenceError(f"{path}: {error.found}", wanted=error.wanted, remedy=error.remedy) from None
