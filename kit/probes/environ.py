"""Reads and writes of environment variables that name a database, with their stacks."""

from __future__ import annotations

from types import CodeType, FrameType
from typing import Any, Dict, List, Optional, Set, Tuple

from .drivers import PACKAGES
from .frames import APPLICATION, INTERPRETER, Stack, application_stack, owner
from .hooks import Hooks, out_of_traceback
from .objects import text_of
from .own import os, re, sys
from .own import own_builtins as __builtins__  # noqa: F401
from .places import FILE, URL, place
from .quiet import quietly
from .recorder import Recorder
from .redact import HIDDEN, learn_all, names_a_secret, redact
from .settings_classes import SETTINGS, watch

_NAME = re.compile(
    r"(?i)(database|(^|_)db(_|$)|dsn|postgres|^pg(host|hostaddr|port|database|user|service)|sqlite|mysql|sqlalchemy)"
)
_MODE = re.compile(
    r"(?i)(^|_)(env|environment|mode|stage|profile|testing|tests?|(settings|config|conf|env)(_module|_file|_path)?)$"
)
# The last one does not name a part: options in it can choose the file that does.
_PART = re.compile(r"(?i)(^(pg|pgsql|psql|sql)_|_(host|hostname|port|server|name)$|^PYTEST_ADDOPTS$)")
_MODES_OF_TOOLS = re.compile(r"(?i)^(virtual_env|conda_|pytest_|python|tox_|nox|coverage_|anyio_|pip_)")
_OWN = re.compile(r"^(ISOLATION_PROBES_|KIT_(PRODUCTION|TEST)_(URL|ADMIN_URL|LOG)$)")
_DRIVERS = (*PACKAGES, "sqlalchemy")  # they read many variables of their own
_MISSED_AT_MOST = 500  # variables
Instruction = Tuple[CodeType, int]
_PASSING_ON = ("os", "_collections_abc", "collections.abc")  # modules that forward reads and writes


def names_a_database(name: str, value: Optional[str] = None) -> bool:
    """Return whether a variable can name a database: by its own name, or by a value that is a URL or file of one."""
    if _OWN.match(name):
        return False
    return bool(_NAME.search(name)) or (value is not None and bool(URL.match(value) or FILE.search(value)))


def names_a_mode(name: str) -> bool:
    """Return whether a variable can select one of several databases, by its name, as APP_ENV does."""
    return bool(_MODE.search(name)) and not _MODES_OF_TOOLS.match(name) and not names_a_database(name)


def names_a_part(name: str) -> bool:
    """Return whether a variable can name a part of a URL, by its name, as STORE_PORT does."""
    return bool(_PART.search(name)) and not names_a_database(name) and not names_a_mode(name)


def shown(name: str, value: Optional[str]) -> Optional[str]:
    """Return a value without secrets."""
    if value is None:
        return None
    return HIDDEN if names_a_secret(name) and not URL.match(value) else redact(value)


class EnvironmentProbe:
    """Watches `os.environ`. `reads` has the variables that were read, the latest last, and their values."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._watched: Set[str] = set()
        self._parts: Set[str] = set()  # variables that can name a host, a port or the like, and no whole URL
        self._seen: Set[Tuple[str, str, Optional[str], Stack]] = set()
        self._asked_for: Dict[str, bool] = {}  # unset variables -> whether they name a database
        self._copied_at: Optional[Instruction] = None  # where the keys were last iterated: dict() then reads each
        self._missed: Dict[str, Dict[str, Any]] = {}  # unset variables with other names -> stack and moment
        self.reads: Dict[str, str] = {}
        self._by_name: Dict[str, None] = {}  # read by name, not with all others

    def install(self, hooks: Hooks) -> None:
        for name, value in os.environ.items():
            if names_a_database(name, value) or names_a_mode(name):
                self._watched.add(name)
                self._recorder.plain(_kind(name, value), op="inherited", name=name, value=shown(name, value))
            elif names_a_part(name):
                self._parts.add(name)
                self._recorder.plain("part", op="inherited", name=name, value=shown(name, value))
        probe, watched, parts = self, self._watched, self._parts

        def reading(original: Any) -> Any:
            def __getitem__(environ: Any, name: Any) -> Any:
                __tracebackhide__ = True
                try:
                    value = original(environ, name)
                except BaseException as error:
                    probe._missing(name, _default())
                    out_of_traceback(error)
                    raise
                if text_of(name) in watched:
                    probe._read(str.__str__(name), value, sys._getframe(1))
                elif text_of(name) in parts:
                    probe._once("read", str.__str__(name), value)
                return value
            return __getitem__

        def writing(original: Any) -> Any:
            def __setitem__(environ: Any, name: Any, value: Any) -> None:
                __tracebackhide__ = True
                before = probe._held_as(environ, name)
                try:
                    original(environ, name, value)
                except BaseException as error:
                    out_of_traceback(error)
                    raise
                probe._was_set(text_of(name), text_of(value), before)
            return __setitem__

        def removing(original: Any) -> Any:
            def __delitem__(environ: Any, name: Any) -> None:
                __tracebackhide__ = True
                try:
                    original(environ, name)
                except BaseException as error:
                    out_of_traceback(error)
                    raise
                if text_of(name) in watched:
                    probe._event("removed", str.__str__(name), None, written_by=_writer())
            return __delitem__

        def going_through(original: Any) -> Any:
            def __iter__(environ: Any) -> Any:
                probe._copied_at = _instruction(_outside(sys._getframe(1)))
                yield from original(environ)
            return __iter__

        environ_type = type(os.environ)
        hooks.replace(environ_type, "__iter__", going_through)
        hooks.replace(environ_type, "__getitem__", reading)
        hooks.replace(environ_type, "__setitem__", writing)
        hooks.replace(environ_type, "__delitem__", removing)
        watch(hooks, self._asked_by_name, self._assigned)

    def sources_of(self, url: str, parts: Tuple[Optional[str], ...] = ()) -> List[str]:
        """Return the variables that name the database of `url`, the one last read by its name first.

        These are variables with a URL of the same database (whatever its scheme and query); if there are none, those
        whose value is one of `parts`, such as the database's name.
        """
        values = {**self._held(), **self.reads}
        wanted = place(url)
        found = [name for name, value in values.items() if place(value) == wanted]
        found = found or [name for name, value in values.items() if value and value in parts]
        order = [*self.reads, *self._by_name]
        return sorted(found, key=lambda name: -_last_index(order, name))

    def _held(self) -> Dict[str, str]:
        data: Any = os.environ._data  # type: ignore[attr-defined]  # reading os.environ itself would be recorded
        encode, decode = os.environ.encodekey, os.environ.decodevalue
        return {name: decode(data[encode(name)]) for name in sorted(self._watched) if encode(name) in data}

    @quietly
    def _read(self, name: str, value: str, reader: FrameType) -> None:
        if next(reversed(self.reads), None) != name or self.reads[name] != value:
            self.reads.pop(name, None)
            self.reads[name] = value
        whole = _goes_through(reader) or _instruction(reader) == self._copied_at
        if not whole:
            self._asked(name)
        self._once("kept" if _kept(reader, value) else "read", name, value, whole)

    def _asked(self, name: str) -> None:
        if next(reversed(self._by_name), None) != name:
            self._by_name.pop(name, None)
            self._by_name[name] = None

    @quietly
    def _asked_by_name(self, name: str, value: Optional[str], default: Optional[str]) -> None:
        """Record that a settings class, which copies the whole environment, looked up one variable."""
        name = next((known for known in self._watched if known.lower() == name.lower()), name)
        if value is not None and (names_a_database(name, value) or names_a_mode(name)):
            self._asked(name)
            self._once("read", name, value)
        elif value is None and (names_a_database(name, default) or names_a_mode(name)):
            self._once("missing", _written(name), default, by=SETTINGS)

    @quietly
    def _assigned(self, name: str, value: str) -> None:
        """Record that another value was assigned to a settings field than its variable had given."""
        name = next((known for known in self._watched if known.lower() == name.lower()), name)
        if names_a_database(name, value):
            self._event("assigned", _written(name), value, written_by=SETTINGS)

    @quietly
    def _missing(self, name: Any, instead: Optional[str] = None) -> None:
        """Record a read of a variable that is not set; `instead` is the default that was used, if known.

        If it had been set, it could have named the database.
        """
        name = text_of(name)
        if name is None or (self._asked_for.get(name) is False and instead is None):
            return
        if names_a_mode(name) and not names_a_database(name, instead):
            reader = _outside(sys._getframe(1))
            if reader is not None and owner(reader.f_code.co_filename) is APPLICATION:  # libraries read others
                self._once("missing", name, None)
            return
        wanted = self._asked_for[name] = names_a_database(name, instead)
        if (_writer() or "").partition(".")[0] in _DRIVERS:
            return
        if wanted or (instead is not None and names_a_part(name) and not _is_pythons(sys._getframe(1))):
            self._once("missing", name, instead)
        elif len(self._missed) < _MISSED_AT_MOST:
            self._missed[name] = {"stack": application_stack(), "moment": self._recorder.moment()}

    @quietly
    def _held_as(self, environ: Any, name: Any) -> Optional[str]:
        key = text_of(name)
        held = None if key is None else environ._data.get(environ.encodekey(key))
        return None if held is None else str(environ.decodevalue(held))

    @quietly
    def _was_set(self, name: Optional[str], value: Optional[str], before: Optional[str]) -> None:
        if name is None or value is None:
            return
        learn_all({name: value})
        if name in self._watched or names_a_database(name, value) or names_a_mode(name):
            self._watched.add(name)
            self._set(name, value, before)
        elif names_a_part(name):
            self._parts.add(name)
            self._set(name, value, before)

    def _set(self, name: str, value: str, old: Optional[str]) -> None:
        """Record that a variable was set, after an earlier read of it that was not recorded because of its name."""
        missed = self._missed.pop(name, None)
        if missed is not None and missed["stack"]:
            self._recorder.event("environment", op="missing", name=name, value=None, same=False, **missed)
        self._event("set", name, value, same=old == value, written_by=_writer())

    def _once(
        self, op: str, name: str, value: Optional[str], whole: bool = False, by: Optional[str] = None,
    ) -> None:
        """Record a read, but only once for each stack and result."""
        stack = application_stack()
        look = "whole" if whole else op
        if (look, name, value, stack) not in self._seen:
            self._seen.add((look, name, value, stack))
            self._event(op, name, value, stack, written_by=by, whole=whole)

    @quietly
    def _event(
        self, op: str, name: str, value: Optional[str], stack: Optional[Stack] = None, same: bool = False,
        written_by: Optional[str] = None, whole: bool = False,
    ) -> None:
        stack = application_stack() if stack is None else stack
        if stack:
            self._recorder.event(
                _kind(name, value), stack=stack, apart=(op, name, value), op=op, name=name, value=shown(name, value),
                same=same, written_by=written_by, whole=whole,
            )


def _kind(name: str, value: Optional[str]) -> str:
    if names_a_part(name) and not names_a_database(name, value):
        return "part"
    return "mode" if names_a_mode(name) and not names_a_database(name, value) else "environment"


def _written(name: str) -> str:
    """Return a variable's name in upper case, if settings that ignore case asked for it in lower case."""
    return name.upper() if name.islower() else name


def _default() -> Optional[str]:
    """Return the default passed to `get` for the missing variable; None for any other caller."""
    frame: Optional[FrameType] = sys._getframe(2)
    if frame is None or frame.f_code.co_name != "get" or frame.f_globals.get("__name__") not in _PASSING_ON:
        return None
    default = frame.f_locals.get("default")
    return text_of(default)


def _goes_through(reader: FrameType) -> bool:
    """Return whether the variable is read by a view of all of them."""
    return reader.f_globals.get("__name__") in _PASSING_ON and reader.f_code.co_name == "__iter__"


def _last_index(names: List[str], name: str) -> int:
    """Return the last index of a name in a list; -1 if it is not in it."""
    return len(names) - 1 - names[::-1].index(name) if name in names else -1


def _instruction(frame: Optional[FrameType]) -> Optional[Instruction]:
    return None if frame is None else (frame.f_code, frame.f_lasti)


def _kept(reader: FrameType, value: str) -> bool:
    """Return whether `setdefault` reads the variable, and would have set it to another value."""
    if reader.f_code.co_name != "setdefault" or reader.f_globals.get("__name__") not in _PASSING_ON:
        return False
    return bool(reader.f_locals.get("value", value) != value)


def _writer() -> Optional[str]:
    """Return the module of the code that reads or writes, such as `dotenv.main`, or one of the application."""
    frame = _outside(sys._getframe(1))
    return frame.f_globals.get("__name__") if frame is not None else None


def _is_pythons(frame: FrameType) -> bool:
    """Return whether the standard library reads a variable, for itself."""
    reader = _outside(frame)
    return reader is not None and owner(reader.f_code.co_filename) == INTERPRETER


def _outside(frame: Optional[FrameType]) -> Optional[FrameType]:
    """Return the first frame outside the probes and the modules that forward reads and writes."""
    while frame is not None and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    while frame is not None and frame.f_globals.get("__name__") in _PASSING_ON:
        frame = frame.f_back
    return frame
