"""sqlite3 and aiosqlite: each connection when it opens; its file; its statements.

An audit event reports every connection, whatever function or class makes it, before the file is opened:
`sqlite3.connect` is not wrapped. At the application's first lookup of a method, the connection is queried for its file,
and gets callbacks for its statements and for the files that they attach.
"""

from __future__ import annotations

from types import FrameType
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple
from weakref import ref

from ..allow import AllowList, sqlite_file
from ..audited import listen
from ..frames import INTERPRETER, Stack, application_stack, owner, running
from ..hooks import Hooks, out_of_traceback
from ..later import in_callback
from ..objects import address
from ..own import functools, os, sys, threading
from ..own import own_builtins as __builtins__  # noqa: F401
from ..quiet import quietly
from ..redact import redact
from ..threads import is_under_sqlalchemy
from .asking import Observed, reason
from .attached import DRIVER, Attaching
from .base import Adapter, Around
from .methods import own_method, watch_lookup

_WITH_FILES_OF_THEIR_OWN = ("coverage", "testmon", "IPython")  # these tools keep their own data in SQLite

_READ_WHOLE = 500  # statements parsed in full, per connection and phase of a test
_FIRST_USES = (
    "execute", "executemany", "executescript", "cursor", "backup", "blobopen", "iterdump", "deserialize",
)
_AUDITS_CONNECTIONS = sys.version_info >= (3, 10)  # before, there is no event after the connection is made


class OpeningRequest(NamedTuple):
    """A database that is about to be opened. Whether `file:...` is a URL or a file name is not known at that point."""

    name: str
    path: Optional[str]
    is_known: bool  # whether `path` is certain; a custom path object's __fspath__ is not called
    literal: Optional[str]  # the file with this literal name, if the name could be a URL
    told: Dict[str, Any]  # fields of its event
    moment: Optional[Dict[str, Any]]


def _no_object() -> None:
    """Stands for a missing weak reference."""


class Sqlite(Adapter):
    """Without `statements`, files to be opened or attached are judged, and connections are not recorded."""

    name = DRIVER
    packages = ("sqlite3", "aiosqlite")
    dialects = frozenset({"pysqlite", "pysqlite_numeric", "aiosqlite"})
    connections = (("sqlite3", "Connection"), ("aiosqlite.core", "Connection"))
    inner = (("aiosqlite", "_connection"),)  # wraps a sqlite3 connection in a thread
    asks_sessions = True

    @staticmethod
    def ask_session(connection: Any, question: str) -> Optional[Sequence[Sequence[Any]]]:
        from _sqlite3 import Error

        try:
            return None if connection.in_transaction else _rows(connection, question)
        except Error:  # it is closed, or of another thread
            return None

    @classmethod
    def around_opening(cls, hooks: Hooks, make: Around) -> None:
        def unbound(original: Any) -> Any:
            call = make(original)

            class Connect:
                """A builtin function does not become a method as a class attribute; this object does not, either."""

                def __call__(self, *args: Any, **kwargs: Any) -> Any:
                    return call(*args, **kwargs)
            return Connect()

        def watch(sqlite3: Any) -> None:
            from sqlite3 import dbapi2

            hooks.replace(dbapi2, "connect", unbound)
            hooks.replace_by(sqlite3, "connect", dbapi2.connect)

        def watch_aiosqlite(aiosqlite: Any) -> None:
            hooks.replace(aiosqlite.core, "connect", make)
            hooks.replace_by(aiosqlite, "connect", aiosqlite.core.connect)

        hooks.when_imported("sqlite3", watch)
        hooks.when_imported("aiosqlite", watch_aiosqlite)

    @classmethod
    def disallowed_destination(cls, connection: Any, allow: AllowList) -> Optional[str]:
        from sqlite3 import Connection

        if not issubclass(type(connection), Connection):
            raise LookupError("a connection of aiosqlite's has its file in a thread of its own")
        rows = own_method(Connection, "execute")(connection, "pragma database_list").fetchall()
        file = next((row[2] for row in rows if row[1] == "main"), "")
        path = os.path.realpath(file) if file else None
        return None if allow.allows_file(path) else str(path)

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._files: Set[str] = set()  # files already opened
        self._asked: Dict[int, OpeningRequest] = {}  # thread -> the database that it opens
        self._touched: Dict[int, Any] = {}  # id of a queried connection -> weak reference, or None
        self._attaching: Dict[int, Attaching] = {}  # id of a connection ->
        self._busy: Set[int] = set()  # threads that run an identity query
        self._in_threads: Set[int] = set()  # ids of connections in threads of aiosqlite
        hooks.on_removal(listen("sqlite3.connect", self._opening))
        hooks.on_removal(listen("sqlite3.connect/handle", self._made))
        hooks.when_imported("sqlite3", self._watch, again=True)
        hooks.when_imported("aiosqlite", self._watch_aiosqlite, again=True)
        self._databases.after_test(self._failed)

    def _watch(self, sqlite3: Any) -> None:
        from _sqlite3 import Connection, Cursor

        gated = self._databases.gated
        for name in _FIRST_USES:
            watch_lookup(self._hooks, Connection, name, self._hear, gated)
        watch_lookup(self._hooks, Connection, "set_authorizer", self._hear_authorizer, gated)
        watch_lookup(self._hooks, Connection, "set_trace_callback", self._hear_tracing, gated)
        for name in ("execute", "executemany", "executescript"):  # cursors made by calling their class
            watch_lookup(self._hooks, Cursor, name, self._hear_cursor, gated)

    # --- as a file is opened -----------------------------------------------------------------------------------------

    def _opening(self, args: Any) -> None:
        """Audit event before a database is opened. An exception raised here prevents the connection."""
        __tracebackhide__ = True
        self._failed()
        if not _AUDITS_CONNECTIONS:
            self._remove_dead()
        if _caller() in _WITH_FILES_OF_THEIR_OWN:
            return
        name, path, is_known = _path_of(args[0])
        literal = _literal_path(name) if name.startswith("file:") else None
        if is_known and not (literal is not None and self._databases.allows_file(literal)):
            self._databases.about_to_open_file(path, "sqlite3")
        told, moment = (self._statements and self._opening_fields(path)) or ({}, None)
        self._asked[threading.get_ident()] = OpeningRequest(name, path, is_known, literal, told, moment)

    @quietly
    def _opening_fields(self, path: Optional[str]) -> Tuple[Dict[str, Any], Any]:
        told: Dict[str, Any] = {"stack": application_stack()}
        if self._is_new(path):
            told["fresh"] = True
        return told, self._databases.moment()

    def _made(self, args: Any) -> None:
        """Audit event after a connection was made, which cannot run statements yet."""
        __tracebackhide__ = True
        connection = args[0]
        self._forget(address(connection))
        asked = self._asked.pop(threading.get_ident(), None)
        if asked is None:
            self._touched[address(connection)] = None  # a tool's own database
        elif asked.is_known:
            is_literal = asked.literal is not None and os.path.lexists(asked.literal)
            path = asked.literal if is_literal else asked.path
            self._databases.about_to_open_file(path, "sqlite3")
            self._opened(connection, asked.name, ({"file": path}, None), asked.told)

    def _is_touched(self, connection: Any) -> bool:
        """Return whether this very connection was queried, and not an earlier one with the same id."""
        pointer = self._touched.get(address(connection), _no_object)
        return pointer is None or pointer() is connection

    def _forget(self, number: int) -> None:
        """Drop what is known of an earlier object with this id."""
        self._touched.pop(number, None)
        self._attaching.pop(number, None)
        self._in_threads.discard(number)

    def _remove_dead(self) -> None:
        for number, pointer in list(self._touched.items()):
            if pointer is None:
                self._touched.pop(number, None)

    @quietly
    def _failed(self) -> None:
        """Record the databases that this thread, or a thread that has ended, failed to open."""
        for number in list(self._asked):
            if number == threading.get_ident() or number not in sys._current_frames():
                asked = self._asked.pop(number, None)
                if asked is not None and _AUDITS_CONNECTIONS and asked.moment is not None:
                    self._databases.failed(
                        "sqlite3", redact(asked.name), _CannotBeOpened(), stack=asked.told["stack"],
                        moment=asked.moment,
                    )

    def _is_new(self, path: Optional[str]) -> bool:
        """Return whether a file is about to be created; True at most once for each file."""
        if path is None or path in self._files:
            return False
        self._files.add(path)
        try:
            return os.stat(path).st_size == 0
        except (OSError, ValueError):  # ValueError for an invalid file name
            return True

    @quietly
    def _opened(self, connection: Any, name: str, observed: Observed, told: Dict[str, Any]) -> None:
        if self._statements:
            self._databases.forget(connection)
            pooled = running("sqlalchemy") is not None or is_under_sqlalchemy()
            self._databases.opened(connection, "sqlite3", redact(name), *observed, pooled=pooled, **told)

    # --- as a connection is first used -------------------------------------------------------------------------------

    def _hear(self, connection: Any, method: Any) -> None:
        """Called on the lookup of a method that can run statements."""
        if not self._is_touched(connection):
            __tracebackhide__ = True
            self._touch(connection)

    def _hear_cursor(self, cursor: Any, method: Any) -> None:
        __tracebackhide__ = True
        from _sqlite3 import Cursor

        connection = vars(Cursor)["connection"].__get__(cursor)
        if connection is not None and address(connection) not in self._touched:
            self._touch(connection)

    def _hear_authorizer(self, connection: Any, method: Any) -> Any:
        """A connection has only one authorizer, and the application sets it: from here on it is the application's.

        With an allow-list, ours is combined with it, and attached files are still judged.
        """
        self._hear(connection, method)
        attaching = self._attaching.get(address(connection))
        if attaching is None or self._databases.gated:
            return None if attaching is None else functools.partial(attaching.set_authorizer, method)
        attaching.hears_statements = False  # listing the files would call the application's authorizer
        return None

    def _hear_tracing(self, connection: Any, method: Any) -> None:
        """A connection has only one trace callback, and the application sets it: ours is replaced by an authorizer."""
        self._hear(connection, method)
        attaching = self._attaching.get(address(connection))
        if attaching is not None and attaching.hears_statements:
            attaching.hears_statements = False
            attaching.watch(connection)

    def _touch(self, connection: Any) -> None:
        __tracebackhide__ = True
        thread = threading.get_ident()
        if thread in self._busy:  # the identity query itself
            return
        self._busy.add(thread)
        try:
            self._look_at(connection)
        finally:
            self._busy.discard(thread)

    def _look_at(self, connection: Any) -> None:
        __tracebackhide__ = True
        observed, why_not = _ask(connection)
        if observed is None:  # closed, or owned by another thread
            return
        path = observed["file"]
        if not self._databases.allows_file(path):
            _close(connection)
            raise self._databases.refused_file(path, None, self.name)
        self._keep(connection)
        known = self._databases.of(connection)
        if known is None or (path is not None and known.database != path):
            asked = self._asked.pop(threading.get_ident(), None)
            name, told = (asked.name, asked.told) if asked is not None and asked.path == path else (path, {})
            self._opened(connection, name or ":memory:", (observed, why_not), told)
        self._watch_attaching(connection)
        self._follow(connection)

    def _keep(self, connection: Any) -> None:
        number = address(connection)
        try:
            self._touched[number] = ref(connection)
        except TypeError:  # no weak references; `_made` removes a reused id
            self._touched[number] = None

    @quietly
    def _follow(self, connection: Any) -> None:
        from _sqlite3 import Connection

        known, attaching = self._databases.of(connection), self._attaching.get(address(connection))
        if known is not None and not known.pooled and running("aiosqlite") is None:
            Connection.set_trace_callback(connection, self._tracing(known, attaching))
        elif self._statements and attaching is not None:  # other probes record its statements
            Connection.set_trace_callback(connection, in_callback(attaching.runs))

    @quietly
    def _watch_attaching(self, connection: Any) -> None:
        attaching = Attaching(self._databases, self._statements)
        attaching.watch(connection)
        self._attaching[address(connection)] = attaching
        if "aiosqlite" in sys.modules and running("aiosqlite") is not None:
            self._in_threads.add(address(connection))

    def _tracing(self, known: Any, attaching: Optional[Attaching]) -> Any:
        """The trace has values in the text, so that each is different: in a large loop, only the verb is parsed."""
        databases = self._databases

        def trace(statement: str) -> None:
            databases.used(known, statement if known.uses_here < _READ_WHOLE else statement[:7], known.engine)
            if attaching is not None:
                attaching.runs(statement)
        return in_callback(trace)

    # --- aiosqlite ---------------------------------------------------------------------------------------------------

    def _watch_aiosqlite(self, aiosqlite: Any) -> None:
        """Judge files here, since aiosqlite connects in a thread of its own, whose stack has no application frames."""
        probe = self

        def connecting(original: Any) -> Any:
            def connect(database: Any, *args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                _, path, is_known = _path_of(database, bool(kwargs.get("uri")))
                if is_known:
                    probe._databases.about_to_open_file(path, "sqlite3")
                return original(database, *args, **kwargs)
            return connect

        def using(original: Any) -> Any:
            async def _execute(connection: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                stack = application_stack() if _may_attach(args) else None  # an error lacks the caller's frames
                if probe._statements:
                    probe._used_aiosqlite(connection, function, args)
                inner = getattr(connection, "_connection", None)
                if inner is not None and not probe._is_touched(inner):
                    function = probe._touching(inner, function)
                try:
                    return await original(connection, function, *args, **kwargs)
                except BaseException as error:
                    out_of_traceback(error)
                    raise
                finally:
                    probe._heard(getattr(connection, "_connection", None), stack)
            return _execute

        self._replace(aiosqlite.core, "connect", connecting)
        self._hooks.replace_by(aiosqlite, "connect", aiosqlite.core.connect)
        self._replace(aiosqlite.core.Connection, "_execute", using)

    def _touching(self, connection: Any, function: Any) -> Any:
        """Return a wrapper that queries the connection first, in the thread that owns it."""
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            self._hear(connection, None)
            try:
                return function(*args, **kwargs)
            except BaseException as error:
                out_of_traceback(error)
                raise
        return call

    def _heard(self, connection: Any, stack: Optional[Stack]) -> None:
        """After a call of aiosqlite, judge and record what its thread attached."""
        __tracebackhide__ = True
        attaching = self._attaching.get(address(connection))
        if attaching is not None and attaching.in_thread and address(connection) in self._in_threads:
            attaching.heard(connection, stack)

    def _used_aiosqlite(self, connection: Any, function: Any, args: Any) -> None:
        inner = getattr(connection, "_connection", None)
        known = self._databases.of(inner) if inner is not None else None
        if known is None or known.pooled:
            return
        known.shows_ends = True
        if args and isinstance(args[0], str):
            self._databases.used(known, args[0], None, (connection,))
        elif getattr(function, "__name__", "") in ("commit", "rollback", "close"):
            self._databases.ended(known)


class _CannotBeOpened(Exception):
    """SQLite's error for a file that cannot be opened, whatever the reason."""

    def __init__(self) -> None:
        super().__init__("unable to open database file")


_CannotBeOpened.__name__ = "OperationalError"


def _ask(connection: Any) -> Observed:
    """Return the file of a connection, {"file": None} for one in memory; or the reason why it cannot be determined."""
    try:
        rows = _rows(connection, "pragma database_list")
        file = next((row[2] for row in rows if row[1] == "main"), "")
        return {"file": os.path.realpath(file) if file else None}, None
    except Exception as error:
        return None, reason(error)


def _rows(connection: Any, question: str) -> List[Tuple[Any, ...]]:
    """Run a query without calling code of the application: no method of a subclass, no row factory, no text factory."""
    from _sqlite3 import Connection, Cursor

    texts: Any = vars(Connection)["text_factory"]
    own = texts.__get__(connection)
    texts.__set__(connection, str)
    try:
        cursor = Connection.cursor(connection, Cursor)
        cursor.row_factory = None
        return cursor.execute(question).fetchall()
    finally:
        texts.__set__(connection, own)


def _close(connection: Any) -> None:
    from _sqlite3 import Connection

    Connection.close(connection)


def _path_of(database: Any, uri: bool = True) -> Tuple[str, Optional[str], bool]:
    """Return a database's name, its path, and whether the path is certain.

    The path is unknown for objects other than those of pathlib, since their own method would have to be called.
    """
    if not isinstance(database, (str, bytes)):
        if not type(database).__module__.startswith("pathlib"):
            return "", None, False
        database = os.fspath(database)
    name = os.fsdecode(database)
    try:
        path = sqlite_file(name, uri)
    except (OSError, ValueError):  # an invalid file name
        return name, None, False
    return name, path, path is None or os.path.isabs(path)  # relative if the working directory was deleted


def _literal_path(name: str) -> Optional[str]:
    try:
        return sqlite_file(name, False)
    except (OSError, ValueError):
        return None


def _may_attach(args: Tuple[Any, ...]) -> bool:
    return bool(args) and isinstance(args[0], str) and "attach" in args[0].lower()


@quietly
def _caller() -> str:
    """Return the package of the calling code, ignoring the interpreter and the probes.

    An audit hook of the program's may raise here; the database is then judged like one of the program's own.
    """
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None and owner(frame.f_code.co_filename) == INTERPRETER:
        frame = frame.f_back
    return "" if frame is None else str(frame.f_globals.get("__name__", "")).partition(".")[0]
