"""The connections of this process: the engine of each, the server that answered, and its uses.

Two facts are kept apart. *Configured*: the URL requested. *Observed*: the identity that the live server reported.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, Dict, Hashable, Iterator, List, Optional, Pattern, Set, Tuple, Union
from weakref import ReferenceType, ref

from .connecting import Connecting, connecting
from .context import CURRENT, REQUEST, Request, Supplier
from .frames import Stack, application_stack, places_of
from .gate import Gate, Reached
from .objects import Notes, Objects, address, held_by, is_a
from .own import gc, os, re, sys
from .own import own_builtins as __builtins__  # noqa: F401
from .peers import Peer
from .places import place
from .quiet import quietly
from .recorder import Recorder
from .redact import redact
from .service_files import section_of
from .sources import Sources
from .statements import Statement, read

if TYPE_CHECKING:
    from .drivers.attached import Attached
    from .settings.probe import SettingsProbe

Observed = Tuple[Optional[Dict[str, Any]], Optional[str]]  # the server's identity, or the reason why there is none

_TABLES_AT_MOST = 5  # recorded for one statement
_LOCKING = frozenset(("drop", "truncate", "alter"))  # they wait for every transaction that has read the table


class Connection:
    """One open connection. The uses of a `pooled` one are reported through SQLAlchemy.

    `asks` returns whether a transaction is open, None if the driver's object was collected; it is None for a driver
    that does not tell. `shows_ends` says whether the end of a transaction is noticed: a sqlite3 connection that is not
    pooled can be closed unseen.
    """

    __slots__ = (
        "address",
        "asks",
        "attached",
        "database",
        "engine",
        "foreign",
        "loop",
        "number",
        "pointer",
        "pooled",
        "serial",
        "session",
        "shows_ends",
        "stack",
        "transaction",
        "used_by",
        "uses",
        "uses_here",
    )

    def __init__(self, number: str, database: Hashable, engine: Optional[str], pooled: bool) -> None:
        self.number, self.database, self.engine, self.pooled = number, database, engine, pooled
        self.address: Optional[int] = None  # id of a driver object without weak references
        self.asks: Optional[Callable[[], Optional[bool]]] = None
        self.attached: Dict[str, Tuple["Pattern[str]", Connection]] = {}  # attached files, by schema name
        self.shows_ends = pooled
        self.pointer: Optional["ReferenceType[Any]"] = None  # weak reference to the driver's object
        self.loop: Optional[str] = None  # the event loop that it is bound to
        self.session: Optional[Tuple[Callable[[], Any], str]] = None  # (weak reference, number)
        self.serial = -1  # CURRENT.serial that `used_by` belongs to
        self.used_by: Set[Tuple[Any, ...]] = set()
        self.foreign: Set[str] = set()  # other event loops that used it in this phase
        self.uses = self.uses_here = 0  # statements in total, and in this phase
        self.stack: Stack = ()  # of its latest recorded use
        self.transaction: Optional[Transaction] = None


class Transaction:
    """The tables written and used on a connection since its last commit or rollback."""

    __slots__ = ("fixture", "phase", "scope", "session", "tables", "test", "told", "used")

    def __init__(self, session: Optional[str]) -> None:
        self.test, self.phase = CURRENT.test, CURRENT.phase
        self.fixture, self.scope, self.session = CURRENT.fixture, CURRENT.scope, session
        self.tables: Dict[str, Stack] = {}  # table -> the stack of the first write
        self.used: Dict[str, Stack] = {}  # table -> the stack of the first statement on it
        self.told = False


class Listener:
    """Base class for listeners to connections; methods do nothing unless overridden."""

    def file(self, path: str) -> None:
        """Called before an allowed SQLite file is opened."""

    def reached(self, driver_connection: Any, driver: str, connection: Connection, word: Dict[str, Any]) -> None:
        """Called after a server has answered a new, allowed connection; `word` is its identity."""

    def first_used(self, connection: Connection) -> None:
        """Called before the first statement on a connection, after its pool has set it up."""

    def wrote(self, connection: Connection, statement: Statement, text: str) -> None:
        """Called before a statement that writes, or that sets something of the database or its connection."""

    def ended(self, connection: Connection, is_commit: Optional[bool]) -> None:
        """Called after a transaction; `is_commit` is None if it is unknown how it ended."""


class Databases:
    """Records connections when they open, and each use once per test, phase and request."""

    def __init__(self, recorder: Recorder, objects: Objects, gate: Optional[Gate] = None) -> None:
        self._recorder, self.objects, self._gate = recorder, objects, gate
        self._connections: Dict[int, Connection] = {}
        self._uses: Dict[str, int] = {}
        self._without_probe: Set[str] = set()  # drivers without a probe that have connected
        self._finish: List[Callable[[], None]] = []
        self._open: Dict[str, Connection] = {}  # connections that have begun a transaction
        self._writers: Dict[Hashable, Dict[str, Connection]] = {}  # database -> connections with uncommitted writes
        self._listeners: List[Listener] = []
        self.visitors: List[Callable[..., Any]] = []  # coroutines that ask a connection within its event loop
        # The latest statement, if it had to wait: its connection, its stack, and the connections that it waits for.
        self._waiting: Optional[Tuple[str, Stack, List[str]]] = None
        self.factories: "Notes[Stack]" = Notes()  # session class -> the stack that made its factory
        self.settings: Optional[SettingsProbe] = None
        self._opening_for: "ContextVar[Optional[str]]" = ContextVar("opening_for", default=None)

    # --- connections -------------------------------------------------------------------------------------------------

    def about_to_open_file(self, path: Optional[str], driver: Optional[str] = None) -> None:
        """Tell the listeners that a file is about to be opened. Raises DatabaseRefused if it is not allowed."""
        __tracebackhide__ = True
        if path is not None and not self.allows_file(path):
            raise self.refused_file(path, None, driver)
        for listener in self._listeners if path is not None else ():
            listener.file(str(path))

    @property
    def gated(self) -> bool:
        """Whether there is a gate, which refuses databases off the allow-list."""
        return self._gate is not None

    def about_to_run(self, statement: Union[str, bytes], to: Reached, dialect: str = "postgresql") -> None:
        """Raise DatabaseRefused if a statement creates, alters or drops a database that is not allowed."""
        __tracebackhide__ = True
        if self._gate is not None:
            self._gate.statement(statement, to, dialect)

    def by_driver(self, name: str, why: str) -> None:
        """Record that a driver without a probe is about to connect. Raises DatabaseRefused if it is not allowed to."""
        __tracebackhide__ = True
        if self._gate is not None:
            self._gate.by(name, why)
        self._report_once("driver", name, why)

    def by_store(self, name: str, why: str) -> None:
        """Record that a client of a server that is no database is about to connect."""
        self._report_once("store", name, why)

    def _report_once(self, what: str, name: str, why: str) -> None:
        if name not in self._without_probe:
            self._without_probe.add(name)
            self._recorder.not_seen(what, name, why)

    def allows_file(self, path: Optional[str]) -> bool:
        """Return whether a SQLite file may be opened, without reporting a refusal."""
        return self._gate is None or self._gate.allows_file(path)

    def refused_file(self, path: str, stack: Optional[Stack], driver: Optional[str]) -> BaseException:
        """Report that a file is refused, and return the exception to raise.

        `stack` is the stack that led to it, if not the current one.
        """
        assert self._gate is not None
        number = self._write_refused(path, stack, driver) if driver is not None and os.path.isabs(path) else None
        return self._gate.refused_file(path, stack, number)

    @quietly
    def _write_refused(self, path: str, stack: Optional[Stack], driver: str) -> str:
        """Record a refused file as a connection, too, so that all that is known of it is linked to the refusal."""
        number = self.objects.number("connection")
        self._recorder.event(
            "connection", stack=stack, apart=(path,), connection=number, driver=driver, configured=redact(path),
            observed={"file": path}, why_not=None, pooled=False, engine=None, loop=None,
        )
        return number

    def opening_context(self) -> Dict[str, Any]:
        """Return the engine, session and dependency that a connection is being opened for, as fields of an event."""
        engine, session, held = connecting(self.objects) or Connecting()
        request = REQUEST.get()
        inside, supplier = request.stack()[1:] if request is not None else (None, None)
        supplier = (request.supplier_of(held) if request is not None and held is not None else None) or supplier
        return {
            "engine": engine, "session": session, "inside": inside,
            "dependency": supplier and supplier[0], "override": supplier and supplier[1],
        }

    @quietly
    def attached(
        self, driver_connection: Any, driver: str, attached: Attached, stack: Optional[Stack],
    ) -> None:
        """Record a SQLite file attached to an open connection; statements that name it count as uses of that file."""
        to = self.of(driver_connection)
        if to is None or attached.name is None:
            return
        number = self.objects.number("connection")
        there = Connection(number, attached.file, None, to.pooled)
        to.attached = {**to.attached, attached.name: (_qualifier_pattern(attached.name), there)}
        self._recorder.event(
            "connection", stack=stack, apart=(attached.file, to.number), connection=number, driver=driver,
            configured=redact(attached.file), observed={"file": attached.file}, why_not=None, pooled=to.pooled,
            engine=None, loop=None, attached_to=to.number, attached_as=attached.name,
        )

    def opened(
        self, driver_connection: Any, driver: str, configured: str, observed: Optional[Dict[str, Any]],
        why_not: Optional[str], pooled: bool, *, peer: Optional[Peer] = None, **more: Any,
    ) -> None:
        """Record a new connection. `observed` is the server's identity; None, with a reason in `why_not`, without one.

        `peer` is the remote end of the socket. In `more`, `asks(driver_connection)` returns whether a transaction is
        open, and `of_libpq` is true for a driver that reads libpq's service files. Raises DatabaseRefused if the server
        is not allowed, even if recording fails.
        """
        __tracebackhide__ = True
        number = self._write_opened(driver_connection, driver, configured, observed, why_not, pooled, peer=peer, **more)
        if self._gate is not None and "file" not in (observed or {}):
            self._gate.server(configured, observed, why_not, peer, number)
        connection = self.of(driver_connection) if self._listeners else None
        if connection is not None and "file" not in (observed or {}):
            for listener in self._listeners:
                listener.reached(driver_connection, driver, connection, observed or {})

    def listen(self, listener: Listener) -> None:
        """Add a listener."""
        self._listeners.append(listener)

    @quietly
    def _write_opened(
        self, driver_connection: Any, driver: str, configured: str, observed: Optional[Dict[str, Any]],
        why_not: Optional[str], pooled: bool, *, engine: Optional[str] = None, bound_to_loop: bool = False,
        asks: Optional[Callable[[Any], bool]] = None, peer: Optional[Peer] = None, of_libpq: bool = False,
        **sources: Any,
    ) -> str:
        if self.settings is not None:
            self.settings.look()
            sources["literal"] = None if pooled or engine else self.settings.literal(configured)
        engine = engine or self._opening_for.get()
        number = self.objects.number("connection")
        connection = Connection(number, _database(configured, observed, number), engine, pooled)
        try:
            connection.pointer = pointer = ref(driver_connection)
        except TypeError:  # its type has no weak references
            connection.address = address(driver_connection)
        else:
            if asks is not None:
                connection.asks = _transaction_check(pointer, asks)
                connection.shows_ends = True
        connection.loop = self._loop() if bound_to_loop else None
        self._connections[address(driver_connection)] = connection
        self._recorder.event(
            "connection", apart=(configured, str(connection.database)), connection=number, driver=driver,
            configured=configured, observed=observed, why_not=why_not, pooled=pooled, engine=engine,
            loop=connection.loop, peer=peer, **sources,
        )
        section = section_of(configured) if of_libpq else None
        if section is not None:
            self._recorder.event("service", apart=section, connection=number, **section._asdict())
        return number

    @quietly
    def failed(self, driver: str, configured: str, error: BaseException, **when: Any) -> None:
        """Record a failed attempt to connect; `when` has the stack and the moment, if they are not the current ones."""
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        self._recorder.event(
            "connection_failed", apart=(configured,), driver=driver, configured=configured, error=reason, **when,
        )

    def moment(self) -> Dict[str, Any]:
        """Return the current moment, for an event to be recorded later."""
        return self._recorder.moment()

    def after_test(self, finish: Callable[[], None]) -> None:
        """Add a function to be called at the end of each test, for events that a driver has not recorded yet."""
        self._finish.append(finish)

    @quietly
    def made_pool(
        self, pool: Any, driver: str, told: str, url: Any, sources: Optional[Sources], dialect: str = "postgresql",
    ) -> None:
        """Record a driver's own pool, which is an engine without SQLAlchemy."""
        url = url if isinstance(url, str) and place(url) is not None else told
        kind = type(pool)
        self._recorder.event(
            "engine", apart=(url,), engine=self.objects.new("engine", pool), url=redact(url), dialect=dialect,
            driver=driver, pool=f"{kind.__module__}.{kind.__qualname__}", **(sources.of(url) if sources else {}),
        )

    @contextmanager
    def opening_for(self, pool: Any) -> Iterator[None]:
        """Assign connections opened in this context to a pool, or to an object that acts as one."""
        before = self._opening_for.get()
        self._opening_for.set(self.objects.of("engine", pool))
        try:
            yield
        finally:
            self._opening_for.set(before)

    def pool_of(self, frame: Optional[FrameType]) -> Optional[str]:
        """Return the number of the pool whose method runs in `frame`; None without one."""
        return None if frame is None else self.objects.of("engine", frame.f_locals.get("self"))

    def forget(self, driver_connection: Any) -> None:
        """Drop what is known of a previous object at the address of this new one."""
        self._connections.pop(address(driver_connection), None)

    def of(self, driver_connection: Any) -> Optional[Connection]:
        known = self._connections.get(address(driver_connection))
        if known is None or (known.pointer is not None and known.pointer() is not driver_connection):
            return None
        return known

    def open_connections(self) -> Iterator[Tuple[Any, Connection]]:
        """Yield the driver's connections that the program still holds, with what is known of each."""
        for known in list(self._connections.values()):
            thing = known.pointer() if known.pointer is not None else None
            if thing is not None:
                yield thing, known
        for thing in connections_of_sqlite():
            held = self.of(thing)
            if held is not None and held.pointer is None:
                yield thing, held

    # --- their use ---------------------------------------------------------------------------------------------------

    @quietly
    def used(
        self, connection: Connection, text: str, engine: Optional[str] = None, also: Tuple[Any, ...] = (),
    ) -> None:
        """Record a statement that is about to run. A dependency may have supplied one of the objects in `also`."""
        statement = read(text)
        if not statement.ends:  # else what a driver says of its own after an error
            self._waiting = None
        if connection.serial != CURRENT.serial:
            connection.serial = CURRENT.serial
            connection.used_by.clear()
            connection.foreign.clear()
            connection.uses_here = 0
        if connection.uses == 0:
            for listener in self._listeners:
                listener.first_used(connection)
        connection.uses += 1
        connection.uses_here += 1
        self._uses[connection.number] = connection.uses
        request = REQUEST.get()
        key = (
            request and request.number, request and request.stage, CURRENT.fixture if request is None else None,
            connection.session and connection.session[1], engine, statement.writes,
        )
        if key not in connection.used_by:
            connection.used_by.add(key)
            self._write_use(connection, statement, engine, request, also)
        if connection.loop is not None:
            self._check_loop(connection, engine)
        if statement.verb in _LOCKING:
            self._notice_wait(connection, statement)
        self._follow(connection, statement)
        for listener in self._listeners if statement.writes or statement.sets else ():
            listener.wrote(connection, statement, text)
        if connection.attached:
            self._used_attached(connection, text, also)

    def _used_attached(self, connection: Connection, text: str, also: Tuple[Any, ...]) -> None:
        """Count a statement that names attached files as a use of them. (A table name alone does not tell its file.)"""
        for speaks, attached in connection.attached.values():
            if speaks.search(text):
                attached.session = connection.session
                self.used(attached, text, None, also)

    def _write_use(
        self, connection: Connection, statement: Statement, engine: Optional[str], request: Optional[Request],
        also: Tuple[Any, ...],
    ) -> None:
        if self.settings is not None:
            self.settings.look()
        session = connection.session and connection.session[1]
        stack, inside, supplier = request.stack() if request is not None else (application_stack(), None, None)
        connection.stack = stack
        supplier = _supplier(request, connection, also) or supplier
        self._recorder.event(
            "use", stack=stack, apart=(connection.number if request is None else None, engine, statement.writes),
            connection=connection.number, engine=engine, writes=statement.writes, verb=statement.verb,
            tables=list(statement.tables[:_TABLES_AT_MOST]), session=session,
            dependency=supplier and supplier[0], override=supplier and supplier[1], inside=inside,
        )

    def counts(self) -> Dict[str, int]:
        """Return the number of statements that each connection has run."""
        return dict(self._uses)

    # --- event loops -------------------------------------------------------------------------------------------------

    def _loop(self) -> Optional[str]:
        """Return the number of the event loop running in this thread; None without one."""
        running = held_by(sys.modules.get("asyncio.events")).get("_get_running_loop")
        loop = running() if running is not None else None
        if loop is None:
            return None
        return self.objects.of("loop", loop) or self.objects.new("loop", loop)

    def _check_loop(self, connection: Connection, engine: Optional[str]) -> None:
        loop = self._loop()
        if loop is None or loop == connection.loop or loop in connection.foreign:
            return
        connection.foreign.add(loop)
        self._recorder.event(
            "foreign_loop", connection=connection.number, engine=engine, opened_on=connection.loop, used_on=loop,
        )

    # --- transactions ------------------------------------------------------------------------------------------------

    def _follow(self, connection: Connection, statement: Statement) -> None:
        """Track uncommitted writes, and notice other connections that read these tables."""
        if not connection.shows_ends:
            return
        if statement.ends:
            self.ended(connection, statement.verb in ("commit", "end"))
            return
        if connection.transaction is None:
            connection.transaction = Transaction(connection.session and connection.session[1])
            self._open[connection.number] = connection
        for table in statement.tables:
            connection.transaction.used.setdefault(table, connection.stack)
        if statement.writes:
            for table in statement.tables:
                connection.transaction.tables.setdefault(table, connection.stack)
            self._writers.setdefault(connection.database, {})[connection.number] = connection
        others = self._writers.get(connection.database)
        if others and statement.tables and (len(others) > 1 or connection.number not in others):
            self._notice_unseen(connection, statement, list(others.values()))

    def holders(self, connection: Connection, statement: Statement) -> Iterator[Tuple[Connection, str, Stack]]:
        """Yield the other open transactions on a server's database that keep a statement waiting for its locks.

        Each with a table that it has used, and the stack of its first statement on it. A statement that names no table
        (`drop schema`) waits for any.
        """
        if statement.verb not in _LOCKING or type(connection.database) is not tuple:
            return
        for other in list(self._open.values()):
            transaction = other.transaction
            if other is connection or other.database != connection.database or transaction is None:
                continue
            table = next((one for one in transaction.used if one in statement.tables or not statement.tables), None)
            if table is not None and _is_in_transaction(other):
                yield other, table, transaction.used[table]

    def _notice_wait(self, connection: Connection, statement: Statement) -> None:
        here = application_stack()
        for holder, table, stack in self.holders(connection, statement):
            begun = holder.transaction
            waits_for = self._waiting[2] if self._waiting is not None else []
            self._waiting = connection.number, here, [*waits_for, holder.number]
            self._recorder.event(
                "wait", stack=here, apart=(table, holder.number), table=table, verb=statement.verb,
                waiter=connection.number, holder=holder.number, holding=begun and begun.session,
                stacks={"held_at": stack},
                held_in=begun and begun.test, held_by=begun and begun.fixture,
            )

    @quietly
    def interrupted(self, error: BaseException) -> None:
        """Record that the program was interrupted in a statement that waited, and that no other has begun since."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting[1] and tuple(waiting[1][0][:2]) in list(places_of(error)):
            self._recorder.event("interrupted", stack=waiting[1], waiter=waiting[0])

    def _notice_unseen(self, reader: Connection, statement: Statement, writers: List[Connection]) -> None:
        for writer in writers:
            if writer is reader:
                continue
            if not _is_in_transaction(writer) or writer.transaction is None:
                self.ended(writer)
                continue
            for table in statement.tables:
                wrote = writer.transaction.tables.get(table)
                if wrote is not None:
                    self._recorder.event(
                        "unseen", apart=(table, writer.number), table=table, reader=reader.number,
                        writer=writer.number, reading=reader.session and reader.session[1],
                        writing=writer.transaction.session, stacks={"written_at": wrote},
                        written_in=writer.transaction.test, written_by=writer.transaction.fixture,
                    )

    @quietly
    def ended(self, connection: Connection, is_commit: Optional[bool] = None) -> None:
        """Note that a transaction was committed or rolled back, or that its connection was returned or closed."""
        for listener in self._listeners:
            listener.ended(connection, is_commit)
        connection.transaction = None
        if self._waiting is not None and connection.number in self._waiting[2]:
            self._waiting = None
        self._open.pop(connection.number, None)
        writers = self._writers.get(connection.database)
        if writers is not None and writers.pop(connection.number, None) is not None and not writers:
            del self._writers[connection.database]

    @quietly
    def test_ended(self) -> None:
        """Record each transaction that was left open, once."""
        for finish in self._finish:
            finish()
        for connection in list(self._open.values()):
            transaction = connection.transaction
            if transaction is None or not _is_in_transaction(connection):
                self.ended(connection)
            elif not transaction.told:
                transaction.told = True
                self._recorder.event(
                    "left_open", stack=connection.stack, apart=(connection.number,), connection=connection.number,
                    engine=connection.engine, session=transaction.session, begun_in=transaction.test,
                    begun_at=transaction.phase, begun_by=transaction.fixture, begun_scope=transaction.scope,
                    tables=sorted(transaction.tables),
                )


def connections_of_sqlite() -> List[Any]:
    """Return the open sqlite3 connections, found by the garbage collector: the class has no weak references."""
    sqlite3 = sys.modules.get("_sqlite3")
    return [] if sqlite3 is None else [one for one in gc.get_objects() if is_a(one, sqlite3.Connection)]


def _database(configured: str, observed: Optional[Dict[str, Any]], number: str) -> Hashable:
    """Return a key that identifies a database as far as known; one in memory is identified by its connection."""
    if not observed:
        return configured
    if "file" in observed:
        return observed["file"] or number
    return tuple(observed.get(name) for name in ("system_identifier", "cluster_name", "host", "port", "database"))


def _qualifier_pattern(name: str) -> "Pattern[str]":
    """Return a pattern for the name of an attached file before a dot."""
    return re.compile(rf"(?i)(?<![\w.'])[\"`\[]?{re.escape(name)}[\"`\]]?\s*\.")


def _transaction_check(pointer: "ReferenceType[Any]", asks: Callable[[Any], bool]) -> Callable[[], Optional[bool]]:
    def ask() -> Optional[bool]:
        driver_connection = pointer()
        return None if driver_connection is None else asks(driver_connection)
    return ask


def _is_in_transaction(connection: Connection) -> bool:
    """Return whether a transaction is open: by the driver if it tells, else by the statements seen."""
    return True if connection.asks is None else bool(connection.asks())


def _supplier(request: Optional[Request], connection: Connection, also: Tuple[Any, ...]) -> Optional[Supplier]:
    """Return the dependency that supplied the session, connection or engine of a use; None if none did."""
    if request is None:
        return None
    session = connection.session[0]() if connection.session is not None else None
    own = connection.pointer() if connection.pointer is not None else None  # of a driver without SQLAlchemy
    for candidate in (session, *also, own):
        supplier = request.supplier_of(candidate) if candidate is not None else None
        if supplier is not None:
            return supplier
    return request.supplier_at(connection.address) if connection.address is not None else None
