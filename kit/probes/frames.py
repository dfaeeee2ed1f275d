"""The frames of the running code: the application's own, out of a stack that is mostly libraries."""

from __future__ import annotations

from types import CodeType, FrameType
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, Optional, Set, Tuple

from .objects import Notes, held_by
from .own import json, os, sys, threading
from .own import own_builtins as __builtins__  # noqa: F401

Frame = Tuple[str, int, str, Optional[str]]  # file, line, function, the library that called it (None: the application)
Stack = Tuple[Frame, ...]  # innermost first

APPLICATION, LIBRARY, INTERPRETER, RUNNER = "application", "library", "interpreter", "runner"

_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep
_INJECT_FOLDER = os.path.join(_OWN, "inject") + os.sep
_WORKER = os.path.join(os.path.dirname(_OWN.rstrip(os.sep)), "trials", "worker") + os.sep
_STANDARD_LIBRARY = tuple({
    os.path.dirname(path) + os.sep for path in (os.path.abspath(os.__file__), os.path.realpath(os.__file__))
})
_SCRIPTS = os.path.dirname(os.path.abspath(sys.executable or os.sep)) + os.sep
_SITE_FOLDERS = ("site-packages", "dist-packages")
# Cython names its sources by a relative path, in tracebacks too; nothing of that name is in the working directory.
_OF_CYTHON = (".pyx", ".pxd", ".pxi")
_RUNNER = os.path.join("_pytest", "runner.py")
_ERRORS_AT_MOST = 5
_FRAMES_AT_MOST = 500  # a runaway recursion must not make a probe slow
_APPLICATION_FRAMES_AT_MOST = 24
_LIBRARY_FRAMES_AT_MOST = 3

# An error's class can override these.
_TRACEBACK: Callable[[BaseException], Any] = vars(BaseException)["__traceback__"].__get__
_CONTEXT: Callable[[BaseException], Any] = vars(BaseException)["__context__"].__get__

_files: Dict[str, Tuple[str, str, str]] = {}  # co_filename -> owner, absolute path, package
STARTED_BY: "Notes[Stack]" = Notes()  # thread -> the stack that started it
_passed: Dict[str, str] = {}  # __file__ of a library or the interpreter -> package or ""
_projects: Dict[str, FrozenSet[str]] = {}  # site-packages -> packages installed from a local folder


def owner(filename: str) -> str:
    """Return the owner of a file: application, library, or interpreter (which includes the probes).

    `runner` is the file of pytest that runs each test: the frames outside of it have nothing to do with the test.
    """
    return _file(filename)[0]


def absolute(filename: str) -> str:
    """Return the absolute path of a code object's file."""
    return _file(filename)[1]


def application_stack(seen: Optional[List[CodeType]] = None, everything: bool = False) -> Stack:
    """Return the application's frames on the stack, innermost first.

    Without one (a plugin, a background thread of a library), return the stack that started the thread, or else the
    innermost library frames, so that each event has a location. The code object of each application frame is appended
    to `seen`, innermost first; with `everything`, the code object of each frame.
    """
    own: List[List[Any]] = []
    libraries: List[Frame] = []
    package_of = _passed.get
    unnamed = True  # the innermost frames have no library yet
    frame: Optional[FrameType] = sys._getframe(1)
    greenlet = None
    for _ in range(_FRAMES_AT_MOST):  # hot loop: most frames take only the first lines of its body
        if frame is None:
            frame, greenlet = _caller_of_greenlet(greenlet)
            if frame is None:
                break
        file: Any = frame.f_globals.get("__file__")
        package = package_of(file)
        if package is None or everything:
            code = frame.f_code
            whose, path, package = _file(code.co_filename)
            if whose is not APPLICATION:
                _learn(file)
            if seen is not None:
                seen.append(code)
            if whose is RUNNER:
                break
            if whose is APPLICATION:
                if len(own) == _APPLICATION_FRAMES_AT_MOST:
                    break
                own.append([path, frame.f_lineno, _function(code), None])
                unnamed, package = True, ""
        if unnamed and package:
            if own:
                own[-1][3] = package
                unnamed = False
            else:
                code = frame.f_code
                libraries.append((absolute(code.co_filename), frame.f_lineno, _function(code), package))
                unnamed = len(libraries) < _LIBRARY_FRAMES_AT_MOST
        frame = frame.f_back
    if own:
        return tuple([(file, line, function, library) for file, line, function, library in own])
    return started_by() or tuple(libraries)


def places_of(error: BaseException) -> Iterator[Tuple[str, int]]:
    """Yield where the application was, innermost frame, when an error was raised; then that of each error before it.

    An event loop raises a KeyboardInterrupt of its own, after the CancelledError that it has thrown into its task.
    """
    following: Optional[BaseException] = error
    for _ in range(_ERRORS_AT_MOST):
        if following is None:
            return
        place = None
        trace = _TRACEBACK(following)
        for _ in range(_FRAMES_AT_MOST):
            if trace is None:
                break
            whose, path, _package = _file(trace.tb_frame.f_code.co_filename)
            if whose is APPLICATION:
                place = path, trace.tb_lineno
            trace = trace.tb_next
        if place is not None:
            yield place
        following = _CONTEXT(following)


def running(folder: str, function: Optional[str] = None) -> Optional[FrameType]:
    """Return a library's innermost frame (of `function`, if given), by its folder in site-packages, or None."""
    for frame in callers(folder):
        if function is None or frame.f_code.co_name == function:
            return frame
    return None


def callers(folder: str) -> Iterator[FrameType]:
    """Yield a library's frames on the stack, by its folder in site-packages, innermost first."""
    part = os.sep + folder + os.sep
    frame: Optional[FrameType] = sys._getframe(1)
    greenlet = None
    for _ in range(_FRAMES_AT_MOST):
        if frame is None:
            frame, greenlet = _caller_of_greenlet(greenlet)
            if frame is None:
                return
        if part in frame.f_code.co_filename:
            yield frame
        frame = frame.f_back


def current_thread() -> Optional[threading.Thread]:
    """Return the current thread; None for one that Python did not start.

    The interpreter's own threading.current_thread() would register a dummy for that one, so `own` has another.
    """
    return threading.current_thread()


def thread_name() -> Optional[str]:
    """Return the name of the current thread; None for the main thread."""
    thread = current_thread()
    return None if thread is threading.main_thread() else name_of_thread(thread)


def name_of_thread(thread: Any) -> str:
    """Return the name that a thread was given. (A subclass can override `name` with code that must not run here.)"""
    name = held_by(thread).get("_name") if thread is not None else None
    return str.__str__(name) if isinstance(name, str) else "?"


def started_by() -> Stack:
    """Return the stack that started this thread; () for the main thread and for worker threads of pools."""
    thread = current_thread()
    return (STARTED_BY.get(thread) or ()) if thread is not None else ()


def _caller_of_greenlet(greenlet: Any) -> Tuple[Optional[FrameType], Any]:
    """Return the frame outside a greenlet, and that greenlet: SQLAlchemy runs synchronous code in one under asyncio."""
    if greenlet is None:
        getcurrent = held_by(sys.modules.get("greenlet")).get("getcurrent")
        greenlet = getcurrent() if getcurrent else None
    while greenlet is not None:
        greenlet = greenlet.parent
        frame = greenlet.gr_frame if greenlet is not None else None
        if frame is not None:
            return frame, greenlet
    return None, None


def _file(filename: str) -> Tuple[str, str, str]:
    found = _files.get(filename)
    if found is None:
        if filename.endswith(_OF_CYTHON) and not os.path.isabs(filename):
            whose, path, package = LIBRARY, filename, filename.replace("\\", "/").partition("/")[0]
        else:
            path = filename if filename.startswith("<") else os.path.abspath(filename)
            whose, package = _owner(path)
        found = _files[filename] = whose, path, package
    return found


def _learn(file: Any) -> None:
    """Remember a file of a library or the interpreter, so that its frames are skipped without reading their code.

    Reading `f_code` raises an audit event, which takes longer than everything else here.
    """
    if isinstance(file, str) and file not in _passed:
        whose, _, package = _file(file)
        if whose in (LIBRARY, INTERPRETER):
            _passed[file] = package


def _function(code: CodeType) -> str:
    return getattr(code, "co_qualname", code.co_name)


def _owner(path: str) -> Tuple[str, str]:
    """Return the owner of a file, and for a library the name of its package, else ""."""
    if path.startswith(("<", _OWN, _INJECT_FOLDER, _WORKER)):
        return INTERPRETER, ""
    for name in _SITE_FOLDERS:
        folder, found, inside = path.rpartition(os.sep + name + os.sep)
        if found:
            package = inside.partition(os.sep)[0].partition(".")[0]
            if inside == _RUNNER:
                return RUNNER, package
            return APPLICATION if _is_local_project(folder + os.sep + name, inside) else LIBRARY, package
    if path.startswith(_SCRIPTS):
        return LIBRARY, os.path.basename(path)
    return INTERPRETER if path.startswith(_STANDARD_LIBRARY) else APPLICATION, ""


def _is_local_project(site: str, inside: str) -> bool:
    """Return whether a package was installed from a folder or an archive of this machine, as tox installs a project."""
    if site not in _projects:
        _projects[site] = _local_projects(site)
    top = inside.split(os.sep, 1)[0]
    return top in _projects[site]


def _local_projects(site: str) -> FrozenSet[str]:
    found: Set[str] = set()
    try:
        records = [name for name in os.listdir(site) if name.endswith(".dist-info")]
    except OSError:
        return frozenset()
    for record in records:
        try:
            with open(os.path.join(site, record, "direct_url.json"), encoding="utf-8") as file:
                url = json.load(file).get("url", "")
            with open(os.path.join(site, record, "RECORD"), encoding="utf-8") as file:
                installed = {line.partition(",")[0] for line in file}
        except (OSError, ValueError):  # packages from an index have no direct_url.json
            continue
        if url.startswith("file:"):
            found.update(path.split("/", 1)[0] for path in installed if path.endswith(".py"))
    return frozenset(found)
