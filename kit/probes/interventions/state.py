"""State left behind by a test, or by the collection of a module: it is recorded, and restored or kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import FunctionType
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from ..frames import absolute
from ..kept_sessions import holds
from ..objects import held_by
from ..outside import DiagnoseProcess, Looking, Touching
from ..own import json, os
from ..own import own_builtins as __builtins__  # noqa: F401
from ..quiet import quietly
from ..redact import beginning
from ..sealed import Seal
from ..state.holders import CACHE
from ..state.imports import Imports
from ..state.snapshot import Difference, Snapshot
from ..state.values import ABSENT, Content, is_simple
from ..state.writer import Writer
from .base import File, Intervention, Rerun
from .tests import plug_in

if TYPE_CHECKING:
    from ..databases import Databases
    from ..hooks import Hooks

_DIFFERENCES_AT_MOST = 2000
_SHOWN_AT_MOST = 120  # characters of a value
_SAID_AT_MOST = 5  # holders that could not be read


class Watched(NamedTuple):
    """An entry of state whose writers are searched for: its name, its holder's name, and its label there."""

    place: str
    holder: str
    label: str


@dataclass(frozen=True)
class LeaveBehind(Intervention):
    """Write the state that tests, or modules during collection, leave behind to an encrypted file.

    `units` are ids of tests or files of modules; the snapshot is taken before the first and compared after the last.
    `put_back` are the entries to restore; with `keep`, all except these are restored. `watched` are the entries whose
    writing lines are recorded. `socket` leads to `kit diagnose`, which compares state outside the process; `folder` is
    the project's.
    """

    op = "state"
    units: Tuple[str, ...]
    file: File
    seal_key: str = field(repr=False)
    put_back: Tuple[str, ...] = ()
    keep: Tuple[str, ...] = ()
    watched: Tuple[Watched, ...] = ()
    socket: File = ""
    folder: File = ""

    @property
    def label(self) -> str:
        what = self.units[0] if len(self.units) == 1 else f"{len(self.units)} tests or modules"
        if self.keep:
            return f"with all that {what} changed restored, except {' and '.join(self.keep)}"
        return f"with {' and '.join(self.put_back) or 'nothing'} restored after {what}"

    def apply(self, rerun: Rerun) -> None:
        looking = _Looking(self, rerun)
        Imports(looking.add_new_modules).install(rerun.hooks)
        if self.socket:
            rerun.listening.append(lambda databases: looking.look_outside(databases, rerun.hooks))
        plug_in(rerun, lambda hookimpl: _plugin(looking, hookimpl))


class _Looking:
    """A snapshot before the first unit, compared after the last."""

    def __init__(self, wanted: LeaveBehind, rerun: Rerun) -> None:
        self._wanted, self._rerun, self._units = wanted, rerun, wanted.units
        self._watched = {place: (holder, label) for place, holder, label in wanted.watched}
        self._watches = bool(self._watched)
        self._snapshot: Optional[Snapshot] = None
        self._has_ended = False
        self._writer = Writer()
        self._outside: Optional[Looking] = None

    def look_outside(self, databases: Databases, hooks: Hooks) -> None:
        """Also compare databases that are reached, and files of the project that are written."""
        holder = DiagnoseProcess(self._wanted.socket, self._wanted.seal_key)
        files = Touching(holder, self._wanted.folder, once=False)
        files.install(hooks)
        self._outside = Looking(holder, databases, files)
        self._outside.running.install(hooks)

    @quietly
    def begins(self, unit: str, fixtures: Iterable[Tuple[str, Any]]) -> None:
        """Take the snapshot if this is the first unit."""
        if self._snapshot is not None or self._has_ended or unit != self._units[0]:
            return
        self._snapshot = Snapshot()
        for name, value in fixtures:
            self._snapshot.add_fixture(name, value)
        if self._outside is not None:
            self._outside.begins()
        self._watch()
        if self._watches:
            self._writer.begin()

    @quietly
    def add_new_modules(self) -> None:
        """Add modules imported since the snapshot."""
        if self._snapshot is not None:
            with self._writer.paused():
                self._snapshot.add_modules()
                self._watch()

    @quietly
    def made(self, name: str, value: Any) -> None:
        """Add the value of a new fixture that outlives its test."""
        if self._snapshot is not None:
            with self._writer.paused():
                self._snapshot.add_fixture(name, value)
                if self._outside is not None:
                    self._outside.adopts()
                self._watch()

    @quietly
    def ends(self, unit: str) -> None:
        """Write the differences if this was the last unit, and restore the entries."""
        if self._snapshot is None or unit != self._units[-1]:
            return
        if self._watches:
            self._writer.end()
        found = list(self._snapshot.differences())
        outside = self._outside.ends(self._wanted.put_back, self._wanted.keep) if self._outside is not None else None
        self._write(found, outside or {})
        # What holds a connection stays, where something of its session is kept.
        connections = self._outside.sessions.connections_of(self._wanted.keep) if self._outside is not None else set()
        for difference in found:
            if self._is_restored(difference.place) and not (connections and holds(difference.after, connections)):
                difference.put_back()
        self._rerun.record_effect()
        self._snapshot, self._has_ended = None, True

    def _is_restored(self, place: str) -> bool:
        keep = self._wanted.keep
        return place not in keep if keep else place in self._wanted.put_back

    def _watch(self) -> None:
        assert self._snapshot is not None
        for place, (name, label) in list(self._watched.items()):
            holder = self._snapshot.holder(name)
            if holder is not None:
                del self._watched[place]
                self._writer.watch(place, holder, label)

    def _write(self, found: List[Difference], outside: Dict[str, Any]) -> None:
        seal = Seal(self._wanted.seal_key)
        shown = [_shown(difference) for difference in found]
        told: Dict[str, Any] = {
            "differences": [*outside.get("differences", ()), *shown][:_DIFFERENCES_AT_MOST],
            "writes": self._writer.writes, "looked": outside.get("looked", ()),
            "unread": list(self._snapshot.unread.items())[:_SAID_AT_MOST] if self._snapshot is not None else (),
        }
        number = os.open(self._wanted.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(number, seal.sealed(json.dumps(told)).encode())
        finally:
            os.close(number)


def _shown(difference: Difference) -> Dict[str, Any]:
    show = _cache if difference.holder.kind is CACHE else _value
    return {
        "notes": tuple(_notes(difference)),
        "place": difference.place, "group": difference.group, "holder": difference.holder.name,
        "label": difference.label, "before": show(difference.place, difference.before),
        "after": show(difference.place, difference.after),
    }


def _notes(difference: Difference) -> Iterator[Tuple[str, str, int]]:
    """Yield the location of a cached function: its first caller writes the cache, but the function keeps it."""
    wrapped = held_by(difference.holder.thing).get("__wrapped__") if difference.holder.kind is CACHE else None
    if type(wrapped) is FunctionType:
        code = wrapped.__code__
        kept = "for each set of arguments" if code.co_argcount or code.co_kwonlyargcount else "for the whole run"
        said = f"{wrapped.__name__}() caches its first result {kept}"
        yield said, absolute(code.co_filename), code.co_firstlineno


def _cache(place: str, filled: Tuple[int, int]) -> str:
    return f"a cache of {filled[1]}"


def _value(place: str, value: Any) -> str:
    """Show a value without running its code: a simple one as it is, any other by its class; "" for a missing one."""
    if value is ABSENT:
        return ""
    if type(value) is Content:
        return f"{len(value.values)} {'entry' if len(value.values) == 1 else 'entries'}"
    if is_simple(value):
        shown = beginning(f"{place}={value!r}", len(place) + 1 + _SHOWN_AT_MOST)
        return shown[len(place) + 1:] if shown.startswith(f"{place}=") else "***"
    return f"<{type(value).__name__}>"


def _plugin(looking: _Looking, hookimpl: Any) -> Any:
    wider: Dict[str, Any] = {}  # fixtures that outlive a test, by name

    class LookingAtState:
        @hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_protocol(self, item: Any) -> Any:
            looking.begins(item.nodeid, _with_values(wider))
            yield
            looking.ends(item.nodeid)

        @hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_make_collect_report(self, collector: Any) -> Any:
            looking.begins(collector.nodeid, ())
            yield
            looking.ends(collector.nodeid)

        @hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_setup(self) -> Any:
            yield
            looking.add_new_modules()

        @hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_fixture_setup(self, fixturedef: Any) -> Any:
            yield
            if fixturedef.scope != "function":
                wider[_named(fixturedef)] = fixturedef
                for name, value in _with_values({_named(fixturedef): fixturedef}):
                    looking.made(name, value)

    return LookingAtState()


def _with_values(fixtures: Dict[str, Any]) -> Iterator[Tuple[str, Any]]:
    for name, definition in fixtures.items():
        found = getattr(definition, "cached_result", None)
        if found is not None:  # None after its teardown
            yield name, found[0]


def _named(fixturedef: Any) -> str:
    return f"{fixturedef.baseid}::{fixturedef.argname}" if fixturedef.baseid else str(fixturedef.argname)
