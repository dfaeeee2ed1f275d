"""Processes that this one starts: each Python gets the variables that load the probes, whatever was done to variables.

What a process is started with is not touched where it holds the variables already. A process without an environment of
its own inherits the interpreter's, which is not `os.environ`: that is a copy, which a test may clear or replace. There
the variables are restored, where they are missing, at the moment in which something is started (`os.environ` stays as
the test made it). An environment of its own is copied and added to, but for a program that starts no other (`single`).

An interpreter that is told to ignore the environment (`-I`, `-E`) or to start without `site` (`-S`) leaves it behind.
"""

from __future__ import annotations

import _thread
from types import ModuleType
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from .audited import listen
from .context import CURRENT
from .drivers.methods import hear_of
from .hooks import Hooks, out_of_traceback, parameters_of
from .own import os, re, sys
from .own import own_builtins as __builtins__  # noqa: F401
from .recorder import Recorder
from .single import starts_no_other

STARTED_IN = "ISOLATION_PROBES_STARTED_IN"  # the variable that names the test in which a process was started
INJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inject")

_PYTHON = re.compile(r"(python|pypy)\d*(\.\d+)*[dtw]*(\.exe)?")
_SHEBANG = re.compile(rb"#!.*\b(python|pypy)[\d.]*\b")
_LEAVING_ALL_BEHIND = frozenset("IES")  # options of the interpreter, each one letter
_WITH_A_VALUE = frozenset("WX")  # options that take the rest of their word, or the next word
_ENDING_OPTIONS = frozenset("cm")  # what follows is a program's
_A_LINE = 200  # bytes

Injection = Callable[[Optional[str]], Dict[str, str]]  # PYTHONPATH as it would be -> the variables that load the probes


class Starting(NamedTuple):
    """A process that is about to be started. `environ` is its own; None where it inherits this one's."""

    program: str
    words: Tuple[str, ...]  # the first names the program, as it is told
    environ: Optional[Mapping[str, str]]
    folder: Optional[str]  # which it is started in; None for this one's

    @property
    def python(self) -> bool:
        """Whether it is an interpreter, or a script of one."""
        return is_python(self.program, (self.environ or {}).get("PATH"))

    @property
    def leaves_all_behind(self) -> bool:
        """Whether an interpreter is told not to mind what loads the probes."""
        return self.python and bool(_options(self.words[1:]) & _LEAVING_ALL_BEHIND)


    @property
    def why_bare(self) -> str:
        """Why nothing is loaded into it, in words."""
        if self.leaves_all_behind:
            return "started with an option (-I, -E or -S) by which it ignores PYTHONPATH or sitecustomize"
        return "started with an environment without the kit's PYTHONPATH"


class Listening:
    """A listener for processes; every method may stay as it is."""

    def starting(self, process: Starting) -> None:
        """Hear of a process before it is started; what is raised here stops it."""

    def bare(self, process: Starting) -> None:
        """Hear of a Python that is about to be started without what loads the probes; likewise."""

    def started(self, pid: int, process: Starting) -> None:
        """Hear of a process that has been started."""


class Started(Listening):
    """Writes down each process, so that one which did not report is missed."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def bare(self, process: Starting) -> None:
        self._recorder.plain("not_seen", what="child", name=os.path.basename(process.program), why=process.why_bare)

    def started(self, pid: int, process: Starting) -> None:
        program = os.path.basename(process.program)
        self._recorder.event("child", apart=(pid,), pid=pid, program=program, python=process.python)


class Children:
    """Makes Python processes that are started from here load the probes."""

    def __init__(self, injection: Injection, told: Optional[Listening] = None) -> None:
        self._injection, self._told = injection, told or Listening()
        self._held: Dict[str, Optional[str]] = {}  # the interpreter's own variables, of the names that matter
        self._begun: Dict[int, Starting] = {}  # what Popen starts, by thread

    def install(self, hooks: Hooks) -> None:
        environ = _mapping(_current()) or {}
        names = {*self._injection(None), "PYTHONPATH"} if self._injection(None) else set()
        self._held = {name: environ.get(name) for name in names | {STARTED_IN}}
        for event, listener in {
            "os.putenv": self._putting, "os.unsetenv": self._taking_away, "os.system": self._system,
            "os.exec": self._executing, "os.posix_spawn": self._spawning, "subprocess.Popen": self._opening,
        }.items():
            hooks.on_removal(listen(event, listener))
        hooks.when_imported("subprocess", lambda subprocess: self._watch_popen(hooks, subprocess))
        hooks.when_imported("multiprocessing.util", lambda util: self._watch_multiprocessing(hooks, util))
        hooks.when_imported("uvloop.loop", lambda uvloop: self._watch_uvloop(hooks, uvloop))

    # --- an environment that is inherited ----------------------------------------------------------------------------

    def _putting(self, args: Tuple[Any, ...]) -> None:
        name = os.fsdecode(args[0])
        if name in self._held:
            self._held[name] = os.fsdecode(args[1])

    def _taking_away(self, args: Tuple[Any, ...]) -> None:
        name = os.fsdecode(args[0])
        if name in self._held:
            self._held[name] = None

    def _have_it_inherited(self) -> None:
        """Restore the variables that load the probes, if the interpreter's own environment no longer has them."""
        wanted: Dict[str, Optional[str]] = {**self._injection(self._held.get("PYTHONPATH"))}
        if wanted:
            wanted.setdefault(STARTED_IN, None)
        for name, value in wanted.items():
            if self._held.get(name) == value:
                continue
            if value is not None:
                os.putenv(name, value)
            else:
                os.unsetenv(name)

    # --- an environment of its own -----------------------------------------------------------------------------------

    def _with_own(self, environ: Any, program: Any, words: Any, folder: Any = None) -> Any:
        """Return the environment with what loads the probes; what is none is left to others to refuse."""
        given = _mapping(environ)
        injected = self._injection(given.get("PYTHONPATH")) if given is not None else {}
        if given is None or not injected or all(given.get(name) == value for name, value in injected.items()):
            return environ
        if starts_no_other(_text(program), _words(words), given, _text(folder) or os.getcwd(), find):
            return environ
        kept = {name: value for name, value in environ.items() if _text(name) not in injected}
        return {**kept, **injected}

    # --- ways to start a process -------------------------------------------------------------------------------------

    def _watch_popen(self, hooks: Hooks, subprocess: ModuleType) -> None:
        """The constructor, which warns at its caller's line, stays as it is: what it calls to start is followed."""
        children, popen = self, subprocess.Popen

        def executing(original: Any) -> Any:
            names = _names_of(original)
            place = names.index("env")

            def _execute_child(process: Any, *args: Any) -> Any:
                __tracebackhide__ = True
                given = dict(zip(names, args))
                own = given["env"]
                if own is not None:
                    words = _words(given["args"])
                    program = given["executable"] or next(iter(words), "")
                    if given.get("shell"):
                        program, words = given["executable"] or "/bin/sh", ("sh", "-c", *words)
                    own = children._with_own(own, program, words, given["cwd"])
                try:
                    result = original(process, *args[:place], own, *args[place + 1:])
                except BaseException as error:
                    out_of_traceback(error)
                    raise
                finally:
                    begun = children._begun.pop(_thread.get_ident(), None)
                if begun is not None:
                    children._told.started(process.pid, begun)
                return result
            return _execute_child

        def spawning(original: Any) -> Any:
            place = _names_of(original).index("env")

            def _posix_spawn(process: Any, *args: Any) -> Any:
                """Before Python 3.13 os.environ stands here for the environment that is inherited."""
                __tracebackhide__ = True
                environ = _current() if args[place] is None and sys.version_info < (3, 13) else args[place]
                own = children._with_own(environ, args[1], args[0])
                try:
                    return original(process, *args[:place], own, *args[place + 1:])
                except BaseException as error:
                    out_of_traceback(error)
                    raise
            return _posix_spawn

        hooks.replace(popen, "_execute_child", executing)
        if hasattr(popen, "_posix_spawn"):
            hooks.replace(popen, "_posix_spawn", spawning)

    def _watch_multiprocessing(self, hooks: Hooks, util: ModuleType) -> None:
        children = self

        def starting(original: Any) -> Any:
            def spawnv_passfds(path: Any, args: Any, passfds: Any) -> Any:
                process = children._about_to_start(path, args, None)
                pid = original(path, args, passfds)
                children._told.started(pid, process)
                return pid
            return spawnv_passfds

        hooks.replace(util, "spawnv_passfds", starting)

    def _watch_uvloop(self, hooks: Hooks, uvloop: ModuleType) -> None:
        """Its loop starts processes by itself, in C, and the interpreter does not report them."""
        def hear(loop: Any, method: Any) -> Any:
            def start(protocol_factory: Any, program: Any, *args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                is_shell = method.__name__ == "subprocess_shell"
                words = ("sh", "-c", program) if is_shell else (program, *args)
                file = "/bin/sh" if is_shell else program
                environ = self._with_own(kwargs.get("env"), file, words, kwargs.get("cwd"))
                if environ is not None:
                    kwargs["env"] = environ
                self._about_to_start(file, words, environ, kwargs.get("cwd"))
                return method(protocol_factory, program, *args, **kwargs)
            return start

        for name in ("subprocess_exec", "subprocess_shell"):
            hear_of(hooks, uvloop.Loop, name, hear)

    def _opening(self, event: Tuple[Any, ...]) -> None:
        program, words, folder, environ = event[:4]
        self._begun[_thread.get_ident()] = self._about_to_start(program, words, environ, folder)

    def _system(self, event: Tuple[Any, ...]) -> None:
        self._about_to_start("/bin/sh", ("sh", "-c", event[0]), None)

    def _executing(self, event: Tuple[Any, ...]) -> None:
        """The event comes when the environment has been read already, so the call is made again with another one."""
        path, words, environ = event[:3]
        self._about_to_start(path, words, environ, added=True)
        own = self._with_own(environ, path, words)
        if own is not environ:
            os.execve(path, words, own)  # what it raises, the program's own call raises

    def _spawning(self, event: Tuple[Any, ...]) -> None:
        if _thread.get_ident() not in self._begun:  # else it is Popen's
            self._about_to_start(*event[:3])

    def _about_to_start(
        self, program: Any, words: Any, environ: Any, folder: Any = None, added: bool = False,
    ) -> Starting:
        if environ is None:
            self._have_it_inherited()
        process = Starting(_text(program), _words(words), _mapping(environ), _text(folder) or None)
        self._told.starting(process)
        is_bare = environ is not None and not added and process.python
        if process.leaves_all_behind or (is_bare and self._with_own(environ, program, words) is not environ):
            self._told.bare(process)
        return process


def _names_of(method: Any) -> List[str]:
    """What a method of Popen's takes, without the process itself."""
    return [parameter.name for parameter in parameters_of(method)][1:]


def is_python(program: str, path: Optional[str] = None) -> bool:
    """Tell whether a program is an interpreter of Python, or a script that one runs."""
    if _PYTHON.fullmatch(os.path.basename(program)):
        return True
    file = find(program, path)
    if file is None:
        return False
    try:
        with open(file, "rb") as script:
            return _SHEBANG.match(script.read(_A_LINE)) is not None
    except OSError:
        return False


def find(program: str, path: Optional[str] = None) -> Optional[str]:
    """Return the file of a program, as the system would find it; None where there is none."""
    path = path or current_environ().get("PATH") or os.defpath
    for folder in [""] if os.path.dirname(program) else path.split(os.pathsep):
        file = os.path.join(folder, program)
        if program and os.path.isfile(file) and os.access(file, os.X_OK):
            return file
    return None


def _options(words: Sequence[str]) -> Set[str]:
    """The options of an interpreter, each one letter, up to what is its program's."""
    found: Set[str] = set()
    takes_next = False
    for word in words:
        if takes_next:
            takes_next = False
            continue
        if len(word) < 2 or word[0] != "-" or word[1] == "-":
            break
        for place, letter in enumerate(word[1:], 1):
            if letter in _ENDING_OPTIONS:
                return found
            if letter in _WITH_A_VALUE:
                takes_next = place == len(word) - 1
                break
            found.add(letter)
    return found


def _current() -> Any:
    """What the program has as `os.environ` now, where it may have put another mapping."""
    module = sys.modules.get("os")
    return os.environ if module is None else vars(module).get("environ")


def current_environ() -> Mapping[str, str]:
    """The variables that the program sees now."""
    return _mapping(_current()) or {}


def _words(given: Any) -> Tuple[str, ...]:
    if isinstance(given, (str, bytes)) or hasattr(type(given), "__fspath__"):
        return (_text(given),)
    return tuple(map(_text, given)) if isinstance(given, (list, tuple)) else ()


def _text(value: Any) -> str:
    """A word or a path as text; "" for what is neither, which nothing can be started by."""
    if hasattr(type(value), "__fspath__"):
        value = type(value).__fspath__(value)  # as whoever starts it will ask, too
    return os.fsdecode(value) if isinstance(value, (str, bytes)) else ""


def _mapping(environ: Any) -> Optional[Dict[str, str]]:
    """An environment as texts, None where it is none. To look into os.environ must not count as reading it."""
    held: Any = environ
    if isinstance(environ, os._Environ):
        held = environ._data  # type: ignore[attr-defined]
    return {_text(name): _text(value) for name, value in held.items()} if isinstance(held, Mapping) else None


def with_inject(python_path: Optional[str]) -> str:
    """Return a PYTHONPATH on which the folder that loads the probes comes first."""
    folders = [folder for folder in (python_path or "").split(os.pathsep) if folder and folder != INJECT]
    return os.pathsep.join([INJECT, *folders])


def as_here(environ: Mapping[str, str]) -> Injection:
    """Pass on what loaded the probes into this process, as it is now; nothing where they came by another way."""
    own = {name: value for name, value in environ.items() if name.startswith("ISOLATION_PROBES_")}
    injected = "ISOLATION_PROBES_DIR" in own

    def injection(python_path: Optional[str]) -> Dict[str, str]:
        return {**own, "PYTHONPATH": with_inject(python_path), **_started_in()} if injected else {}

    return injection


def _started_in() -> Dict[str, str]:
    return {STARTED_IN: CURRENT.test} if CURRENT.test is not None else {}
