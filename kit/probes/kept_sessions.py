"""What the program has set in the session of a connection that it keeps open, and that is not a row.

Settings (`search_path`, a role, a pragma), temporary tables, advisory locks, attached files: a pool hands the
connection to the next test with all of them. Each connection is asked over its own driver while no transaction is open
on it. One that belongs to an event loop is asked within the program's own calls, before its first statement and after
each later one, and what has to be undone is undone before its next statement.
"""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import (
    TYPE_CHECKING,
    Any,
    Awaitable,
    Callable,
    Dict,
    Generator,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)
from weakref import ReferenceType

from .databases import Connection, Databases, Listener
from .objects import address, is_a, module_of
from .own import gc, os, re
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly
from .redact import redact
from .stable import stable
from .state.values import Content

if TYPE_CHECKING:
    from .outside import Journal, Write

GROUP = "sessions"
_THERE = "there"
_KEPT = " of a kept connection to "
_POSTGRES = """\
select 'setting ' || name, setting, reset_val from pg_catalog.pg_settings where source = 'session'
union all select 'setting ' || name, pg_catalog.current_setting(name), ''
from (values ('role'), ('session_authorization')) own (name)
union all select 'temporary table ' || relname, 'there', '' from pg_catalog.pg_class
where relnamespace = pg_catalog.pg_my_temp_schema() and relkind = 'r'
union all select 'advisory lock ' || case objsubid when 1 then ((classid::bigint << 32) | objid::bigint)::text
  else classid || ', ' || objid end || case mode when 'ShareLock' then ' (shared)' else '' end, 'there', ''
from pg_catalog.pg_locks where locktype = 'advisory' and pid = pg_catalog.pg_backend_pid() and granted"""
_PRAGMAS = (
    "foreign_keys", "query_only", "recursive_triggers", "ignore_check_constraints", "read_uncommitted", "busy_timeout",
    "reverse_unordered_selects", "defer_foreign_keys",
)  # fmt: skip
_TEMPORARY = "select type || ' ' || name from temp.sqlite_master where type in ('table', 'view')"
_CUSTOM = re.compile(r"(?i)set_config\s*\(\s*'([\w]+\.[\w.]+)'|set\s+(?:session\s+)?([a-z_]\w*\.[\w.]+)\s*(?:=|\bto\b)")

Rows = Optional[Sequence[Sequence[Any]]]
Ask = Callable[[str], Rows]
AskInLoop = Callable[[str], Awaitable[Rows]]
Asking = Generator[str, Rows, Any]  # yields questions, and is sent their answers
Value = Tuple[str, str]  # the value, and what the session began with, if that is known


_BETWEEN = 5  # steps from what a pool keeps in a container to the connection
_LOOKED_AT = 500  # objects on the way


def holds(value: Any, connections: Set[int]) -> bool:
    """Return whether one of these objects (their addresses) is within reach of a value."""
    seen: Set[int] = set()
    near = list(value.values) if type(value) is Content else [value]
    for _ in range(_BETWEEN):
        near = [one for one in near if address(one) not in seen and not is_a(one, (type, ModuleType, FunctionType))]
        if any(address(one) in connections for one in near):
            return True
        seen.update(map(address, near))
        if len(seen) > _LOOKED_AT:
            return False
        near = [inner for one in near for inner in (*gc.get_referents(one), *_referred(one))]
    return False


def _referred(thing: Any) -> Tuple[Any, ...]:
    referred = thing() if is_a(thing, ReferenceType) else None
    return () if referred is None else (referred,)


class _Kept(NamedTuple):
    """A connection that is open, with the way to ask it; `ask` returns None while a transaction is open on it.

    `ask` is None for a connection of an event loop, which is asked when the program uses it.
    """

    connection: Connection
    dialect: str
    ask: Optional[Ask]


class KeptSessions(Listener):
    """Compares the sessions of open connections between two moments.

    A connection that is opened later counts from its first use; by then its pool has set it up.
    """

    def __init__(self, databases: Databases, journal: Journal, folder: str) -> None:
        self._databases, self._journal, self._folder = databases, journal, folder
        self._before: Dict[str, Dict[str, Value]] = {}
        self._custom: Set[str] = set()  # names of settings that only the program knows
        self._looks = False
        self._in_loop: Dict[str, Dict[str, Value]] = {}  # what connections of event loops had last
        self._changed: Set[str] = set()  # those of them on which something was set
        self._to_undo: Dict[str, List[Tuple[str, Optional[Value]]]] = {}
        self._busy: Set[str] = set()

    @quietly
    def begins(self) -> None:
        """Take the snapshot that later differences are relative to."""
        self._before.clear()
        self._in_loop.clear()
        self._databases.visitors[:] = [self._visited]
        for kept in self._open():
            self._remember(kept)
        self._looks = True

    @quietly
    def wrote(self, connection: Connection, statement: Any, text: str) -> None:
        self._changed.add(connection.number)
        self._custom.update(name for pair in _CUSTOM.findall(text) for name in pair if name)

    @quietly
    def first_used(self, connection: Connection) -> None:
        if self._looks:
            for kept in self._open():
                if kept.connection is connection:
                    self._remember(kept)

    @quietly
    def ends(self, put_back: Tuple[str, ...], keep: Tuple[str, ...]) -> List[Dict[str, Any]]:
        """Restore `put_back`, or all but `keep`, and return the differences."""
        self._looks = False
        found: Dict[str, Dict[str, Any]] = {}
        for kept in self._open():
            before, now = self._before.get(kept.connection.number), self._read(kept)
            if before is None or now is None:
                continue
            for label in [*now, *(label for label in before if label not in now)]:
                then, after = before.get(label), now.get(label)
                if (then and then[0]) == (after and after[0]):
                    continue
                place = f"{label}{_KEPT}{self._name(kept.connection)}"
                found.setdefault(place, self._difference(kept, place, label, then, after))
                if place not in keep if keep else place in put_back:
                    self._undo(kept, label, then)
        for place, one in self._not_asked():
            found.setdefault(place, one)
        return list(found.values())

    def _undo(self, kept: _Kept, label: str, then: Optional[Value]) -> None:
        if kept.ask is None:
            self._to_undo.setdefault(kept.connection.number, []).append((label, then))
        else:
            _answered(_restoring(kept.dialect, label, then), kept.ask)

    async def _visited(self, thing: Any, ask: AskInLoop) -> None:
        """Take what a connection of the running event loop has set, or undo it; no transaction is open on it."""
        connection = self._databases.of(thing)
        if connection is None or connection.number in self._busy:
            return
        number = connection.number
        self._busy.add(number)
        try:
            if not self._looks:
                for label, then in self._to_undo.pop(number, ()):
                    await _answered_in_loop(_restoring("postgresql", label, then), ask)
            elif number not in self._before:
                self._before[number] = await _answered_in_loop(_of_postgres(self._custom), ask)
            elif number in self._changed:
                self._in_loop[number] = await _answered_in_loop(_of_postgres(self._custom), ask)
        except Exception:  # the server refuses or is gone: nothing is claimed of this connection
            self._before.pop(number, None)
        finally:
            self._busy.discard(number)

    def connections_of(self, places: Tuple[str, ...]) -> Set[int]:
        """Return the addresses of the connections that are kept, if one of these places is of a session."""
        if not any(_KEPT in place for place in places):
            return set()
        return {address(thing) for thing, _ in self._databases.open_connections()}

    # --- what is there -----------------------------------------------------------------------------------------------

    def _open(self) -> Iterator[_Kept]:
        from .drivers import ADAPTERS

        for thing, connection in self._databases.open_connections():
            package = module_of(type(thing)).partition(".")[0].lstrip("_")
            adapter = next((one for one in ADAPTERS if package in one.packages), None)
            if adapter is not None and adapter.asks_sessions:
                yield _Kept(connection, adapter.dialect or "sqlite", _asker(adapter, thing))
            elif adapter is not None and adapter.visits_sessions and connection.number in self._before:
                yield _Kept(connection, adapter.dialect, None)

    def _remember(self, kept: _Kept) -> None:
        read = self._read(kept) if kept.ask is not None else None
        if read is not None:
            self._before[kept.connection.number] = read

    def _read(self, kept: _Kept) -> Optional[Dict[str, Value]]:
        if kept.ask is None:
            return self._in_loop.get(kept.connection.number, self._before.get(kept.connection.number))
        if kept.dialect == "sqlite":
            return _of_sqlite(kept.ask)
        return _answered(_of_postgres(self._custom), kept.ask)  # type: ignore[no-any-return]

    def _name(self, connection: Connection) -> str:
        database = connection.database
        if database == connection.number:
            return "the database in memory"
        name = str(database[-1] if type(database) is tuple else database)
        return stable(os.path.relpath(name, self._folder) if name.startswith(self._folder) else name)

    # --- what is told ------------------------------------------------------------------------------------------------

    def _difference(
        self, kept: _Kept, place: str, label: str, then: Optional[Value], after: Optional[Value],
    ) -> Dict[str, Any]:
        write = self._write_of(kept.connection, label)
        before = then[0] if then else after[1] if after else ""
        return {
            **_told(place, label, self._name(kept.connection), write),
            "before": redact(before), "after": redact(after[0]) if after else _begun_with(label, then),
        }

    def _write_of(self, connection: Connection, label: str) -> Optional[Write]:
        """Return the statement on that connection that names it; else the last that set anything there."""
        name = label.rpartition(" ")[2].lower() if not label.startswith("advisory lock ") else "lock"
        mine, undone = ([write for write in writes if write.connection == connection.number]
                        for writes in (self._journal.writes, self._journal.undone))
        named = [write for write in mine if name in write.text.lower().replace("time zone", "timezone")]
        named = named or [write for write in undone if name in write.text.lower()]
        sets = [write for write in mine if write.statement.sets]
        return next(reversed(named or sets), None)

    def _not_asked(self) -> Iterator[Tuple[str, Dict[str, Any]]]:
        """Yield what was set on open connections of a pool whose driver cannot be asked between tests."""
        asked = {kept.connection.number for kept in self._open()}
        held = {connection.number: connection for _, connection in self._databases.open_connections()}
        for write in self._journal.writes:
            connection = held.get(write.connection)
            if connection is None or write.connection in asked or not (connection.pooled and write.statement.sets):
                continue
            place = f"what `{redact(write.text.strip())[:80]}` set on a kept connection to {self._name(connection)}"
            told = _told(place, place, self._name(connection), write)
            yield place, {**told, "before": "", "after": _THERE, "can_go_back": False}


def _told(place: str, label: str, holder: str, write: Optional[Write]) -> Dict[str, Any]:
    stack = write.stack if write is not None else ()
    return {
        "place": place, "group": GROUP, "holder": holder, "label": label, "notes": (),
        "written": [(file, line, function) for file, line, function, _ in stack],
    }


def _begun_with(label: str, then: Optional[Value]) -> str:
    """What is there instead of a value that is no longer set: what the session began with; "" for what is gone."""
    return (then[1] or "reset") if then and label.startswith("setting ") else ""


def _asker(adapter: Any, thing: Any) -> Ask:
    return lambda question: adapter.ask_session(thing, question)


def _answered(asking: Asking, ask: Ask) -> Any:
    """Run a generator that yields questions, and return its result."""
    answer = None
    while True:
        try:
            question = asking.send(answer)
        except StopIteration as end:
            return end.value
        answer = ask(question)


async def _answered_in_loop(asking: Asking, ask: AskInLoop) -> Any:
    """Run such a generator within the program's event loop."""
    answer = None
    while True:
        try:
            question = asking.send(answer)
        except StopIteration as end:
            return end.value
        answer = await ask(question)


def _of_postgres(custom: Set[str]) -> Asking:
    rows = yield _POSTGRES
    if rows is None:
        return None
    found = {str(label): (str(value or ""), str(begun or "")) for label, value, begun in rows}
    for name in sorted(custom):
        held = yield f"select pg_catalog.current_setting('{name}', true)"
        if held and held[0][0]:
            found[f"setting {name}"] = str(held[0][0]), ""
    return found


def _of_sqlite(ask: Ask) -> Optional[Dict[str, Value]]:
    files, temporary = ask("pragma database_list"), ask(_TEMPORARY)
    if files is None or temporary is None:
        return None
    found: Dict[str, Value] = {}
    for name in _PRAGMAS:
        rows = ask(f"pragma {name}")
        if rows:
            found[f"setting {name}"] = str(rows[0][0]), ""
    found.update((f"attached database {row[1]}", (_THERE, "")) for row in files if row[1] not in ("main", "temp"))
    found.update((f"temporary {row[0]}", (_THERE, "")) for row in temporary)
    return found


def _restoring(dialect: str, label: str, then: Optional[Value]) -> Asking:
    """Undo one difference on its connection; what the session has lost altogether is not made again."""
    kind, name = label.rpartition(" ")[::2] if not label.startswith("advisory") else ("advisory lock", label)
    is_sqlite = dialect == "sqlite"
    if kind == "setting" and is_sqlite:
        yield f"pragma {name} = {int(then[0]) if then else 0}"
    elif kind == "setting":
        value = then[0].replace("'", "''") if then else None
        yield f"reset {name}" if value is None else f"select pg_catalog.set_config('{name}', '{value}', false)"
    elif then is not None:
        return
    elif kind == "attached database":
        yield f'detach database "{name}"'
    elif kind == "advisory lock":
        yield from _unlocking(label)
    else:
        yield f'drop {kind.partition(" ")[2]} {"temp" if is_sqlite else "pg_temp"}."{name}"'


def _unlocking(label: str) -> Asking:
    numbers = label.replace("advisory lock ", "").replace(" (shared)", "")
    function = "pg_advisory_unlock_shared" if label.endswith(" (shared)") else "pg_advisory_unlock"
    for _ in range(100):  # as often as it was taken
        rows = yield f"select pg_catalog.{function}({numbers})::text"
        if not rows or rows[0][0] != "true":
            return
