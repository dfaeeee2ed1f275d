"""State outside the process: `kit diagnose` learns which databases are reached, and compares their contents.

This process opens no connection for that. It sends the credentials of each database that the program reaches,
encrypted, over a unix socket, and waits while `kit diagnose` looks. An in-memory database is accessible only through
the program's own connection: its content is sent over, and the statements that restore it run on that connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Collection, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from .audited import listen
from .databases import Connection, Databases, Listener, connections_of_sqlite
from .frames import APPLICATION, Frame, Stack, application_stack, owner
from .kept_sessions import KeptSessions
from .left_running import LeftRunning
from .objects import attribute, bases, module_of, path_of, qualname_of
from .own import json, os, re, threading
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly
from .sealed import Seal
from .stable import stable
from .statements import Statement

if TYPE_CHECKING:
    from .hooks import Hooks

_SECONDS_AT_MOST = 120.0
_TEXT_KEPT = 2000  # characters of a statement
_WRITES_KEPT = 5000
_OF_SERVER = re.compile(
    r'(?i)\b(create|drop)\s+(role|user|database)\s+(?:if\s+(?:not\s+)?exists\s+)?("[^"]+"|\w+)'
)
_TAKES, _MAKES = ("delete", "truncate", "drop"), ("create", "alter")


class DiagnoseProcess:
    """The `kit diagnose` process, at the other end of a unix socket.

    A process that dropped its privileges may be unable to connect, and so is one that outlives the run: then it goes on
    without asking.
    """

    def __init__(self, socket: str, seal_key: str) -> None:
        self._socket, self._seal, self._is_lost = socket, Seal(seal_key), False

    def ask(self, **message: Any) -> Dict[str, Any]:
        """Send a message and return the answer; {} if the connection fails, after which no further attempt is made."""
        try:
            return {} if self._is_lost else self._request(message)
        except OSError:
            self._is_lost = True
            return {}

    def _request(self, message: Dict[str, Any]) -> Dict[str, Any]:
        import _socket  # a program may have replaced socket.socket, as pytest-socket does

        with_end = (self._seal.sealed(json.dumps(message)) + "\n").encode()
        own = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            own.settimeout(_SECONDS_AT_MOST)
            own.connect(self._socket)
            own.sendall(with_end)
            received = b""
            while not received.endswith(b"\n"):
                part = own.recv(65536)
                if not part:
                    raise OSError("the answer was cut")
                received += part
        finally:
            own.close()
        answer: Dict[str, Any] = json.loads(self._seal.opened(received.decode().strip()))
        return answer


class Telling(Listener):
    """Reports each database reached, before the program runs its first statement there."""

    def __init__(self, holder: DiagnoseProcess, once: bool = True) -> None:
        self._holder, self._once = holder, once
        self._told: Dict[str, None] = {}

    @quietly
    def file(self, path: str) -> None:
        if self._must_report(path):
            self._holder.ask(do="reached", kind="sqlite", path=path)

    @quietly
    def reached(self, driver_connection: Any, driver: str, connection: Connection, word: Dict[str, Any]) -> None:
        from .drivers import ADAPTERS

        if not self._must_report(str(connection.database)):
            return
        adapter = next((one for one in ADAPTERS if one.name == driver), None)
        place = adapter.credentials(driver_connection) if adapter is not None else None
        self._holder.ask(
            do="reached", kind="postgres" if place else "other", key=str(connection.database), place=place or {},
            driver=driver, word=word,
        )

    @quietly
    def wrote(self, connection: Connection, statement: Statement, text: str) -> None:
        if self._once and statement.verb == "create":
            for verb, kind, name in _of_server(text):
                if verb == "create":
                    self._holder.ask(do="creates", key=str(connection.database), kind=kind, name=name)

    def _must_report(self, key: str) -> bool:
        if self._once and key in self._told:
            return False
        self._told[key] = None
        return True


def _of_server(text: str) -> Iterator[Tuple[str, str, str]]:
    """Yield each role and database that a text creates or drops: the verb, "role" or "database", and the name."""
    for verb, kind, name in _OF_SERVER.findall(text):
        own = name[1:-1] if name.startswith('"') else name.lower()
        yield verb.lower(), "database" if kind.lower() == "database" else "role", own


Note = Tuple[str, Optional[Frame]]  # the text, and the line that it is about


_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NOT_OF_THE_PROGRAM = frozenset((
    ".git", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".venv", "node_modules",
))  # fmt: skip


class Touching:
    """Reports which files of a folder the application writes, creates or removes, before it does so.

    `writes` maps the path of each file to the stack that did so last; `folder` ends with a slash.
    """

    def __init__(self, holder: DiagnoseProcess, folder: str, once: bool = True) -> None:
        self._holder, self._once = holder, once
        self.folder = os.path.realpath(folder) + os.sep
        self._told: Dict[str, None] = {}
        self._busy: Set[int] = set()
        self.writes: Dict[str, Stack] = {}

    def install(self, hooks: Hooks) -> None:
        """Listen to the interpreter's audit events."""
        hooks.on_removal(listen("open", self._quiet(self._opened)))
        for event, places in _EVENTS:
            hooks.on_removal(listen(event, self._quiet(self._changing(places))))

    def _quiet(self, heard: Any) -> Any:
        heard = quietly(heard)

        def listening(args: Any) -> None:
            thread = threading.get_ident()
            if thread not in self._busy:
                self._busy.add(thread)
                try:
                    heard(args)
                finally:
                    self._busy.discard(thread)
        return listening

    def _opened(self, args: Any) -> None:
        mode, flags = args[1], args[2]
        if (type(mode) is str and set(mode) & set("wax+")) or (type(flags) is int and flags & _WRITE_FLAGS):
            self._touched(path_of(args[0]), -1)

    def _changing(self, places: Tuple[Tuple[int, int], ...]) -> Any:
        def changing(args: Any) -> None:
            for place, folder in places:
                self._touched(path_of(args[place]), args[folder] if 0 <= folder < len(args) else -1)
        return changing

    def _touched(self, path: Optional[str], folder: Any) -> None:
        if path is None:
            return
        if type(folder) is int and folder >= 0 and not os.path.isabs(path):
            path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
        path = os.path.join(os.path.realpath(os.path.dirname(os.path.abspath(path))), os.path.basename(path))
        if not path.startswith(self.folder) or _NOT_OF_THE_PROGRAM & set(path.split(os.sep)):
            return
        stack = application_stack()
        if not stack or owner(stack[0][0]) is not APPLICATION:
            return
        self.writes[path] = stack
        if not self._once or path not in self._told:
            self._told[path] = None
            self._holder.ask(do="touched", path=path)


# Audit events of a change, with the index of each path among their arguments and of the dir_fd that it is relative to.
_EVENTS = (
    ("os.remove", ((0, 1),)), ("os.rename", ((0, 2), (1, 3))), ("os.truncate", ((0, -1),)), ("os.mkdir", ((0, 2),)),
    ("os.rmdir", ((0, 1),)), ("os.link", ((1, 3),)), ("os.symlink", ((1, 2),)),
)  # fmt: skip


class Write(NamedTuple):
    """A statement that wrote, with its database, connection, stack and notes, and the stacks that committed it."""

    key: str
    connection: str
    statement: Statement
    text: str
    stack: Stack
    notes: List[Note]
    commit: List[Stack]


class Journal(Listener):
    """Keeps the statements that write, in order, with the stacks that committed them; drops those rolled back."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self.writes: List[Write] = []
        self.undone: List[Write] = []  # rolled back; what they set of a connection may have stayed, as a pragma does
        self._pending: Dict[str, List[Write]] = {}

    @quietly
    def wrote(self, connection: Connection, statement: Statement, text: str) -> None:
        if len(self.writes) >= _WRITES_KEPT:
            del self.writes[:_WRITES_KEPT // 2]
        found = Write(
            str(connection.database), connection.number, statement, text[:_TEXT_KEPT], application_stack(),
            list(self._notes(connection)), [],
        )
        self.writes.append(found)
        self._pending.setdefault(connection.number, []).append(found)

    @quietly
    def ended(self, connection: Connection, is_commit: Optional[bool]) -> None:
        pending = self._pending.pop(connection.number, [])
        if is_commit is False:
            gone = [id(write) for write in pending]
            self.undone += [write for write in pending if write.statement.sets]
            self.writes[:] = [write for write in self.writes if id(write) not in gone]
        elif is_commit and pending:
            stack = application_stack()
            for write in pending:
                write.commit.append(stack)

    def of(self, difference: Dict[str, str]) -> Optional[Write]:
        """Return the statement behind a difference: the last that can have changed it so, or that created it."""
        key, last = difference["key"], _table_of(difference).rpartition(".")[2].lower()
        mine = [write for write in self.writes if write.key == key]
        if difference["kind"] in ("table", "sequence"):
            mine = [write for write in mine if write.statement.writes]
        found = [write for write in mine if last in write.statement.tables]
        named = [write for write in mine if _names(write.text, last)]
        # A statement on an index names its table, too.
        found = found or named if difference["kind"] in ("table", "sequence") else named or found
        before, after = _number(difference["before"]), _number(difference["after"])
        takes = [write for write in found if write.statement.verb in _TAKES]
        makes = [write for write in found if write.statement.verb in _MAKES]
        adds = [write for write in found if write.statement.verb not in (*_TAKES, *_MAKES)]
        if not difference["after"]:
            likely = [write for write in takes if write.statement.verb == "drop"] or takes
        elif difference["after"].startswith("altered: ") or difference["after"] == "replaced by another":
            likely = [write for write in found if write.statement.verb == "alter"] or makes
        elif before > after:
            likely = takes
        elif difference["kind"] not in ("sequence", "setting") and not after:
            likely = makes[:1]  # the first created it; a later "create ... if not exists" changes nothing
        else:
            likely = adds
        return next(reversed(likely or found), None) or self._of_a_wider(difference, mine)

    def _of_a_wider(self, difference: Dict[str, str], mine: List[Write]) -> Optional[Write]:
        """Return the last statement that dropped a schema or table with all that depended on it."""
        if difference["after"]:
            return None
        wider = [write for write in mine if write.statement.verb == "drop" and _names(write.text, "cascade")]
        return next(reversed(wider), None)

    def origin_of(self, difference: Dict[str, str]) -> Dict[str, Any]:
        """Return the stack and the notes of the statement behind a difference; empty if none is known."""
        last = self.of(difference)
        if last is None:
            return {"written": (), "notes": ()}
        notes = [*last.notes, *self._emptied_elsewhere(difference)]
        if last.commit and last.commit[-1] and last.commit[-1][0][:2] != last.stack[0][:2]:
            notes.insert(0, ("the write is committed here", last.commit[-1][0]))
        return {
            "written": [(file, line, function) for file, line, function, _ in last.stack],
            "notes": [(said, frame[0] if frame else "", frame[1] if frame else 0) for said, frame in notes],
        }

    def of_servers(self, can_go_back: Collection[str] = ()) -> Iterator[Dict[str, Any]]:
        """Yield the roles and databases that were created, or dropped, by their last statements.

        They belong to the whole server, which others use, too: they are not compared. Those in `can_go_back` are known
        to have been created by the run.
        """
        last: Dict[str, Tuple[bool, Write]] = {}
        for write in self.writes:
            for verb, kind, name in _of_server(write.text):
                place = f"{kind} {stable(name)}"
                is_made = verb == "create"
                if is_made or place not in last:
                    last[place] = is_made, write
                else:
                    del last[place]  # created and dropped again
        for place, (is_made, write) in last.items():
            yield {
                "place": place, "group": "rows", "holder": "", "label": place, "notes": (),
                "can_go_back": is_made and place in can_go_back,
                "before": "" if is_made else "there", "after": "there" if is_made else "",
                "written": [(file, line, function) for file, line, function, _ in write.stack],
            }

    def _emptied_elsewhere(self, difference: Dict[str, str]) -> Iterator[Note]:
        """Note a statement that empties the table of the same name in another schema, and therefore not this one."""
        schema, _, table = difference["name"].rpartition(".")
        pattern = re.compile(rf"(?i)([a-z_0-9]+)\s*\.\s*\"?{re.escape(table)}\b")
        for write in self.writes if difference["kind"] == "table" else ():
            if write.statement.verb not in ("truncate", "delete") or write.key != difference["key"]:
                continue
            other = next((one for one in pattern.findall(write.text) if one.lower() != (schema or "public")), None)
            if other is not None:
                said = f"this statement empties {other}.{table}, which is another table of the same name"
                yield said, next(iter(write.stack), None)
                return

    def _notes(self, connection: Connection) -> Iterator[Note]:
        """Note a session that runs its statements on another connection than the one that it is bound to."""
        session = connection.session[0]() if connection.session is not None else None
        given = _connection_given_to(session)
        own = connection.pointer() if connection.pointer is not None else None
        if given is None or own is None or given is own:
            return
        kind = f"{module_of(bases(type(session))[1])}.{qualname_of(type(session))}"
        made = self._databases.factories.get(type(session))
        yield (
            f"the sessions made here are bound to one connection, and their class {kind} runs statements on another",
            made[0] if made else None,
        )


def _names(text: str, name: str) -> bool:
    """Return whether a text has this name as a word."""
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text.lower()) is not None


def _number(said: str) -> int:
    """Return the row count in a text such as "3 rows"; 0 for any other text."""
    first = said.partition(" ")[0]
    return int(first) if first.isdigit() else 0


def _table_of(difference: Dict[str, str]) -> str:
    """Return the table that a difference is about; for a sequence, the table in its name; else the name in SQL."""
    name = difference["name"]
    if difference["kind"] == "trigger":
        return name.partition(" on ")[0]
    if difference["kind"] == "function":
        return name.partition("(")[0]
    if difference["kind"] == "setting":
        return name.partition(" of ")[0]
    is_sequence = difference["kind"] == "sequence" and name.endswith("_seq")
    return "_".join(name.split("_")[:-2]) if is_sequence and name.count("_") > 1 else name


def _connection_given_to(session: Any) -> Any:
    """Return the driver's connection behind the SQLAlchemy connection that a session is bound to; None without one."""
    bind = attribute(session, "bind") if session is not None else None
    fairy = attribute(bind, "_dbapi_connection") if bind is not None else None
    given = attribute(fairy, "dbapi_connection") if fairy is not None else None
    return getattr(given, "driver_connection", given)


class Looking:
    """A comparison of the state outside the process between two moments."""

    def __init__(self, holder: DiagnoseProcess, databases: Databases, files: Touching) -> None:
        self._holder, self._databases, self._files = holder, databases, files
        self.journal = Journal(databases)
        self._memories: Dict[str, Any] = {}
        databases.listen(Telling(holder, once=False))
        databases.listen(self.journal)
        self.sessions = KeptSessions(databases, self.journal, files.folder)
        databases.listen(self.sessions)
        self.running = LeftRunning()

    @quietly
    def begins(self) -> None:
        """Take the snapshot that later differences are relative to, of everything reached so far."""
        self.journal.writes.clear()
        self.journal.undone.clear()
        self.sessions.begins()
        self.running.begins()
        self._holder.ask(do="begins", memories=self._in_memory())

    @quietly
    def adopts(self) -> None:
        """Add everything new to the snapshot: it belongs to a fixture that outlives its test."""
        self.running.begins()
        self._holder.ask(do="adopts", memories=self._in_memory())

    @quietly
    def ends(self, put_back: Tuple[str, ...], keep: Tuple[str, ...]) -> Dict[str, Any]:
        """Restore `put_back`, and return the answer with the differences that are there now."""
        answer = self._holder.ask(do="ends", memories=self._in_memory(), put_back=put_back, keep=keep)
        for key, statements in answer.get("run", {}).items():
            _run(self._memories[key], statements)
        told = [{**one, **self._origin_of(one)} for one in answer.get("differences", ())]
        told += self.journal.of_servers(answer.get("made", ()))
        own = [*(self.sessions.ends(put_back, keep) or ()), *(self.running.ends(put_back, keep) or ())]
        answer["differences"] = [*told, *own]
        return answer

    def _origin_of(self, difference: Dict[str, str]) -> Dict[str, Any]:
        stack = self._files.writes.get(difference["key"])
        if stack is None:
            return self.journal.origin_of(difference)
        return {"written": [(file, line, function) for file, line, function, _ in stack], "notes": ()}

    def _in_memory(self) -> Dict[str, str]:
        """Return the content of each in-memory database, as hexadecimal digits, by the number of its connection."""
        found = {}
        for own in connections_of_sqlite():
            known = self._databases.of(own)
            content = _content(own) if known is not None and known.database == known.number else None
            if known is not None and content is not None:
                self._memories[known.number] = own
                found[known.number] = content.hex()
        return found


def _content(connection: Any) -> Optional[bytes]:
    """Return the serialized content of an in-memory SQLite database; None in another thread, and before Python 3.11."""
    from _sqlite3 import Connection, Error

    from .drivers.methods import own_method

    if not isinstance(connection, Connection) or not hasattr(Connection, "serialize"):
        return None
    try:
        content: bytes = own_method(Connection, "serialize")(connection)
    except Error:
        return None
    return content


def _run(connection: Any, statements: List[Tuple[str, List[Any]]]) -> None:
    """Run statements on the program's own connection: in its open transaction, else in one of their own."""
    from _sqlite3 import Connection

    from .drivers.methods import own_method

    execute = own_method(Connection, "execute")
    is_open = connection.in_transaction
    if not is_open:
        execute(connection, "begin")
    for sql, values in statements:
        own = [bytes.fromhex(value["bytes"]) if isinstance(value, dict) else value for value in values]
        execute(connection, sql, own)
    if not is_open and connection.in_transaction:
        execute(connection, "commit")
