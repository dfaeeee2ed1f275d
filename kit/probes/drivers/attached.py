"""Files that a statement attaches to a sqlite3 connection (ATTACH): another database without a new connection.

With an allow-list, an authorizer is set: SQLite calls it while it prepares the statement, with the file name if that is
a literal, and the file can be refused. If the name is a parameter or an expression, the files are listed by a profile
function at the next event of the frame that ran the statement: the file is attached by then, but not used yet. Without
an allow-list no authorizer is set, since an exception of a signal handler within it would make SQLite refuse the
statement: attaching statements are recognized by their text when they start to run.
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

DRIVER = "sqlite3"  # its name in the evidence

_OK, _DENY = 0, 1
_ATTACH, _DETACH = 24, 25
_CALLBACK = "authorizer_callback"
_ATTACHES_OR_DETACHES = re.compile(r"(?is)\s*(?:(?:--[^\n]*|/\*.*?\*/)\s*)*(?:at|de)tach\b")
_HANDING_ON = lambda method, named: method(**named)  # noqa: E731
_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # the probes' own
_UNNAMED = "a file that ATTACH takes from a parameter or an expression"


class Attached(NamedTuple):
    """An attached file, and its schema name in statements; None if the file was refused before it was attached."""

    name: Optional[str]
    file: str


class Attaching:
    """Watches the files of one connection, without a reference to it, which would keep the connection open.

    Without `tells` files are judged and not recorded. `in_thread` has files attached in a thread of aiosqlite, whose
    stack has no application frames, until the coroutine that awaits the call takes them.
    """

    def __init__(self, databases: Any, tells: bool) -> None:
        self._databases, self._tells = databases, tells
        self._unnamed = False  # a file of unknown name is being attached
        self._there: Dict[str, str] = {}  # schema name -> attached file
        self.in_thread: List[Attached] = []
        self.hears_statements = True  # until the program sets a trace callback or authorizer itself

    def watch(self, connection: Any) -> None:
        """Set the authorizer if files are to be judged; otherwise `runs` has to be called for each statement."""
        from _sqlite3 import Connection

        self._find = _finder(connection)
        if self._databases.gated or not self.hears_statements:
            Connection.set_authorizer(connection, self._authorizer(None))

    @quietly
    def runs(self, statement: str) -> None:
        """Called when a statement starts: after one that attaches or detaches a file, list the attached files."""
        if self.hears_statements and not self._databases.gated and _ATTACHES_OR_DETACHES.match(statement):
            self._list_after_call(self._find)

    def set_authorizer(self, method: Callable[..., None], *args: Any, **named: Any) -> None:
        """Set an authorizer that calls ours, then the application's. `method` is the original set_authorizer."""
        if args:
            method(self._authorizer(args[0]), *args[1:], **named)
            return
        if _CALLBACK in named:
            named[_CALLBACK] = self._authorizer(named[_CALLBACK])
        # Since Python 3.13 a keyword raises a DeprecationWarning, whose location has to be the application's line.
        frame = sys._getframe(1)
        code = _HANDING_ON.__code__.replace(co_filename=frame.f_code.co_filename, co_firstlineno=frame.f_lineno)
        FunctionType(code, frame.f_globals)(method, named)

    def _authorizer(self, theirs: Optional[Callable[..., Any]]) -> Callable[..., Any]:
        def authorize(action: int, argument: Optional[str], *more: Optional[str]) -> Any:
            try:
                if (action in (_ATTACH, _DETACH) or self._unnamed) and self._asked(action, argument, self._find):
                    return _DENY
            except BaseException as error:  # an exception of the program, which SQLite would take for a refusal
                raise_in_caller(error)
            if theirs is None:
                return _OK
            try:
                return theirs(action, argument, *more)
            except BaseException as error:
                out_of_traceback(error)
                raise

        if type(theirs) is FunctionType:  # sqlite3 reports its errors under its name
            authorize.__name__, authorize.__qualname__ = theirs.__name__, theirs.__qualname__
        return authorize

    @quietly
    def _asked(self, action: int, argument: Optional[str], find: Callable[[], Any]) -> int:
        if action == _DETACH:
            self._there.pop(argument or "", None)
            return _OK
        if action != _ATTACH:  # a later statement of a script that attached the file
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
            self._list_after_call(find)
        return _OK

    def _refuse(self, path: str) -> int:
        if running("aiosqlite") is not None:
            self.in_thread.append(Attached(None, path))
        else:
            self._databases.refused_file(path, None, DRIVER)
        return _DENY

    def _list_after_call(self, find: Callable[[], Any]) -> None:
        """List the attached files once the call that attaches one has returned."""
        connection, stack, caller = find(), application_stack(), _caller()
        profile = sys.getprofile()
        if type(profile) is FunctionType and profile.__code__.co_filename.startswith(_FOLDER):
            return  # nested calls: the outer profile function does it
        if connection is None or caller is None or profile is not None:
            failures.setdefault("ATTACH", "the attached files cannot be listed while a profiler is active")
            return
        at = caller.f_lasti

        def look(frame: FrameType, event: str, argument: Any) -> None:
            __tracebackhide__ = True
            if frame is not caller and caller.f_lasti == at:  # in a callback, before the call has returned
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
        """Judge and record what a thread of aiosqlite attached; `stack` led to it, if not the current one."""
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
    """Return the files that a name can refer to: two for `file:...`, since the connection's `uri` flag is unknown here.

    [None] for a database in memory; [] for a name that is unknown or invalid.
    """
    if name is None:
        return []
    try:
        return list(dict.fromkeys([sqlite_file(name, True), sqlite_file(name, False)]))
    except (OSError, ValueError):
        return []


def _finder(connection: Any) -> Callable[[], Any]:
    """Return a function that finds the connection without keeping it alive; valid only while it is in use."""
    from weakref import ref

    try:
        return ref(connection)
    except TypeError:  # sqlite3's own class has no weak references
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
