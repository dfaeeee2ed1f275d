"""Files that a statement attaches to a connection of sqlite3 (ATTACH): another database, and no new connection.

Where there is a list of what is allowed, SQLite asks a connection's authorizer before it prepares the statement, and
names the file where the statement spells it out: there it can be refused. Of a name that is bound or computed it tells
nothing. Then the interpreter is asked for its next event in the frame that ran the statement: there the file is
attached, and nothing has been said to it yet. Without a list there is no authorizer, which a signal's handler that
raises an error would make refuse the program's statement: the text of each statement tells, as it begins to run.
"""

from __future__ import annotations

from types import FrameType, FunctionType
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from ..allow import sqlite_file
from ..frames import Stack, application_stack, running
from ..hooks import out_of_traceback
from ..later import raise_in_caller
from ..own import os, re, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from ..quiet import failures, quietly

DRIVER = "sqlite3"  # as evidence names it

_OK, _DENY = 0, 1
_ATTACH, _DETACH = 24, 25
_CALLBACK = "authorizer_callback"
_SPEAKS_OF_IT = re.compile(r"(?is)\s*(?:(?:--[^\n]*|/\*.*?\*/)\s*)*(?:at|de)tach\b")
_HANDING_ON = lambda method, named: method(**named)  # noqa: E731
_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # of the probes
_UNNAMED = "a file that it attaches and does not name in the statement's text"


class Attached(NamedTuple):
    """A file that was attached, and the name under which statements speak of it: None where it was refused before."""

    name: Optional[str]
    file: str


class Attaching:
    """Watches one connection. It holds no reference to it, which would keep the connection open.

    Without `tells` it stops what is not allowed and keeps nothing. `in_thread` holds what was attached in a thread of
    aiosqlite's, in which nobody's code is on the stack, until the one who waits for that takes it.
    """

    def __init__(self, databases: Any, tells: bool) -> None:
        self._databases, self._tells = databases, tells
        self._unnamed = False  # a file is being attached whose name is not known yet
        self._there: Dict[str, str] = {}  # what is attached: its name -> its file
        self.in_thread: List[Attached] = []
        self.hears_statements = True  # until the program has a trace or an authorizer of its own

    def watch(self, connection: Any) -> None:
        """Be asked before a statement is prepared, where one can be refused; else `runs` is to be called for each."""
        from _sqlite3 import Connection

        self._find = _finder(connection)
        if self._databases.gated or not self.hears_statements:
            Connection.set_authorizer(connection, self._authorizer(None))

    @quietly
    def runs(self, statement: str) -> None:
        """A statement begins to run: of one that attaches a file, or detaches one, look what is there afterwards."""
        if self.hears_statements and not self._databases.gated and _SPEAKS_OF_IT.match(statement):
            self._look_after(self._find)

    def set_authorizer(self, method: Callable[..., None], *args: Any, **named: Any) -> None:
        """Have the application's own authorizer asked, too, and ours first. `method` is the connection's own."""
        if args:
            method(self._authorizer(args[0]), *args[1:], **named)
            return
        if _CALLBACK in named:
            named[_CALLBACK] = self._authorizer(named[_CALLBACK])
        # As of Python 3.13 this warns, of the line that calls it, which has to be the application's.
        frame = sys._getframe(1)
        code = _HANDING_ON.__code__.replace(co_filename=frame.f_code.co_filename, co_firstlineno=frame.f_lineno)
        FunctionType(code, frame.f_globals)(method, named)

    def _authorizer(self, theirs: Optional[Callable[..., Any]]) -> Callable[..., Any]:
        def authorize(action: int, argument: Optional[str], *more: Optional[str]) -> Any:
            try:
                if (action in (_ATTACH, _DETACH) or self._unnamed) and self._asked(action, argument, self._find):
                    return _DENY
            except BaseException as error:  # the program's, which the driver would take for a refusal
                raise_in_caller(error)
            if theirs is None:
                return _OK
            try:
                return theirs(action, argument, *more)
            except BaseException as error:
                out_of_traceback(error)
                raise

        if type(theirs) is FunctionType:  # an error in it is reported under its name
            authorize.__name__, authorize.__qualname__ = theirs.__name__, theirs.__qualname__
        return authorize

    @quietly
    def _asked(self, action: int, argument: Optional[str], find: Callable[[], Any]) -> int:
        if action == _DETACH:
            self._there.pop(argument or "", None)
            return _OK
        if action != _ATTACH:  # of a script that attaches a file and uses it at once
            self._unnamed = self._databases.gated
            return self._refuse(_UNNAMED) if self._unnamed else _OK
        paths = _paths(argument)
        if paths == [None]:
            return _OK
        allowed = [self._databases.allows_file(path) for path in paths]
        if paths and not any(allowed):
            return self._refuse(str(paths[0]))
        self._unnamed = not all(allowed) or not paths
        if self._unnamed or self._tells:
            self._look_after(find)
        return _OK

    def _refuse(self, path: str) -> int:
        if running("aiosqlite") is not None:
            self.in_thread.append(Attached(None, path))
        else:
            self._databases.refused_file(path, None, DRIVER)
        return _DENY

    def _look_after(self, find: Callable[[], Any]) -> None:
        """Look at what is attached once the call that attaches it is over."""
        connection, stack, caller = find(), application_stack(), _caller()
        profile = sys.getprofile()
        if type(profile) is FunctionType and profile.__code__.co_filename.startswith(_FOLDER):
            return  # ours is around one of ours: it looks when the call is over
        if connection is None or caller is None or profile is not None:
            failures.setdefault("ATTACH", "what a statement attached cannot be asked while a profiler is on")
            return
        at = caller.f_lasti

        def look(frame: FrameType, event: str, argument: Any) -> None:
            __tracebackhide__ = True
            if frame is not caller and caller.f_lasti == at:  # a callback, in the middle of the call
                return
            sys.setprofile(None)
            self._look(connection, stack)

        sys.setprofile(look)

    @quietly
    def _look(self, connection: Any, stack: Stack) -> None:
        __tracebackhide__ = True
        self._unnamed = False
        found = _attached(connection)
        names = {attached.name for attached in found}
        self._there = {name: file for name, file in self._there.items() if name in names}
        for attached in found:
            if self._there.get(attached.name or "") != attached.file:
                self._there[attached.name or ""] = attached.file
                self._found(connection, attached, stack)

    def _found(self, connection: Any, attached: Attached, stack: Stack) -> None:
        __tracebackhide__ = True
        allowed = self._databases.allows_file(attached.file)
        if not allowed:
            connection.close()
        if running("aiosqlite") is not None:
            self.in_thread.append(attached)
        elif allowed:
            self._databases.attached(connection, DRIVER, attached, stack)
        else:
            raise self._databases.refused_file(attached.file, stack, DRIVER)

    def heard(self, connection: Any, stack: Optional[Stack]) -> None:
        """Report what was attached in a thread of aiosqlite's; `stack` led to it, where these frames do not."""
        __tracebackhide__ = True
        while self.in_thread:
            attached = self.in_thread.pop(0)
            if not self._databases.allows_file(attached.file):
                raise self._databases.refused_file(attached.file, stack, DRIVER)
            self._databases.attached(connection, DRIVER, attached, stack)


def _attached(connection: Any) -> List[Attached]:
    from _sqlite3 import Connection

    cursor = Connection.cursor(connection)
    cursor.row_factory = None
    rows: List[Tuple[Any, Any, Any]] = cursor.execute("pragma database_list").fetchall()
    named = [(os.fsdecode(name), os.fsdecode(file or "")) for _, name, file in rows]
    return [Attached(name, os.path.realpath(file)) for name, file in named if file and name not in ("main", "temp")]


def _paths(name: Optional[str]) -> List[Optional[str]]:
    """Return the files that a name can stand for: of `file:...` it is not known here whether it is a URL.

    None is a database in memory; of a name that is not known, or that no file can have, there is nothing.
    """
    if name is None:
        return []
    try:
        return list(dict.fromkeys([sqlite_file(name, True), sqlite_file(name, False)]))
    except (OSError, ValueError):
        return []


def _finder(connection: Any) -> Callable[[], Any]:
    """Return what finds a connection again while one of its own methods runs, and does not keep it alive until then."""
    from weakref import ref

    try:
        return ref(connection)
    except TypeError:  # sqlite3's own kind cannot be pointed at
        address = id(connection)

    def find() -> Any:
        try:
            from ctypes import cast, py_object
        except ImportError:
            return None
        return cast(address, py_object).value

    return find if sys.implementation.name == "cpython" else lambda: None


def _caller() -> Optional[FrameType]:
    """Return the frame that runs the statement."""
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_FOLDER):
        frame = frame.f_back
    return frame
