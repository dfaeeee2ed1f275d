"""Child processes: each Python gets the variables that load the probes, even if the program changed its environment.

Most environments contain the variables, and are passed on unchanged. A process started without `env` inherits the
environment of the interpreter, of which `os.environ` is a copy that a test may clear or replace: missing variables are
restored there just before the start, and `os.environ` stays as the test left it. An `env` without them is copied and
extended, except for a program that starts no other (`single`).

An interpreter that ignores the environment (`-I`, `-E`) or starts without `site` (`-S`) does not load the probes.
"""

from __future__ import annotations

import _thread
from types import ModuleType
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from .audited import listen
from .context import CURRENT
from .drivers.methods import watch_lookup
from .hooks import Hooks, out_of_traceback, parameters_of
from .own import os, re, sys
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly
from .recorder import Recorder
from .single import starts_no_other

STARTED_IN = "ISOLATION_PROBES_STARTED_IN"  # the variable with the test in which a process was started
INJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inject")

_PYTHON = re.compile(r"(python|pypy)\d*(\.\d+)*[dtw]*(\.exe)?")
_SHEBANG = re.compile(rb"#!.*\b(python|pypy)[\d.]*\b")
_LEAVING_ALL_BEHIND = frozenset("IES")  # options by which Python ignores the variables
_WITH_A_VALUE = frozenset("WX")  # options with a value, in the same word or the next
_ENDING_OPTIONS = frozenset("cm")  # the words after it belong to the program
_A_LINE = 200  # bytes

Injection = Callable[[Optional[str]], Dict[str, str]]  # PYTHONPATH -> the variables that load the probes


class Starting(NamedTuple):
    """A process that is about to be started. `environ` is None if it inherits this process's."""

    program: str
    words: Tuple[str, ...]  # argv, including argv[0]
    environ: Optional[Mapping[str, str]]
    folder: Optional[str]  # its working directory; None if inherited
    moment: Optional[Dict[str, Any]] = None  # when it is started: it can run before its start is recorded

    @property
    def python(self) -> bool:
        """Whether it is a Python interpreter, or a script for one."""
        return is_python(self.program, (self.environ or {}).get("PATH"))

    @property
    def ignores_environment(self) -> bool:
        """Whether it is an interpreter with an option by which it ignores the variables."""
        return self.python and bool(_options(self.words[1:]) & _LEAVING_ALL_BEHIND)


    @property
    def why_unprobed(self) -> str:
        """The reason why it does not load the probes, in words."""
        if self.ignores_environment:
            return "an option (-I, -E or -S) makes it ignore PYTHONPATH or sitecustomize"
        return "its environment lacks the kit's PYTHONPATH"


class Listening:
    """Base class for listeners to child processes; methods do nothing unless overridden."""

    def moment(self) -> Optional[Dict[str, Any]]:
        """Return the current moment if the start of a process is to be recorded with it."""
        return None

    def starting(self, process: Starting) -> None:
        """Called before a process is started; an exception raised here prevents it."""

    def starting_unprobed(self, process: Starting) -> None:
        """Called before a Python is started that will not load the probes; an exception raised here prevents it."""

    def started(self, pid: int, process: Starting) -> None:
        """Called after a process has been started."""


class Started(Listening):
    """Records each process, so that one without a record of its own is noticed."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @quietly
    def moment(self) -> Optional[Dict[str, Any]]:
        return self._recorder.moment()

    def starting_unprobed(self, process: Starting) -> None:
        self._recorder.plain("not_seen", what="child", name=os.path.basename(process.program), why=process.why_unprobed)

    def started(self, pid: int, process: Starting) -> None:
        program = os.path.basename(process.program)
        self._recorder.event(
            "child", apart=(pid,), moment=process.moment, pid=pid, program=program, python=process.python
        )


class Children:
    """Makes Python processes that are started from this one load the probes."""

    def __init__(self, injection: Injection, told: Optional[Listening] = None) -> None:
        self._injection, self._told = injection, told or Listening()
        self._held: Dict[str, Optional[str]] = {}  # the variables of the real environment
        self._begun: Dict[int, Starting] = {}  # thread -> what Popen is starting there

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

    def _restore_environment(self) -> None:
        """Restore the variables in the real environment if they are missing there."""
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
        """Return `environ` with the variables added if needed; an invalid one is returned as it is, to be rejected."""
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
        """Wrap the methods that start the process, not the constructor, whose warnings name its caller's line."""
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
                """Before Python 3.13, os.environ is passed here for the inherited environment."""
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
        """uvloop starts processes in C, without audit events."""
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
            watch_lookup(hooks, uvloop.Loop, name, hear)

    def _opening(self, event: Tuple[Any, ...]) -> None:
        program, words, folder, environ = event[:4]
        self._begun[_thread.get_ident()] = self._about_to_start(program, words, environ, folder)

    def _system(self, event: Tuple[Any, ...]) -> None:
        self._about_to_start("/bin/sh", ("sh", "-c", event[0]), None)

    def _executing(self, event: Tuple[Any, ...]) -> None:
        """The event comes after the environment was read, so exec is called again with a changed environment."""
        path, words, environ = event[:3]
        self._about_to_start(path, words, environ, added=True)
        own = self._with_own(environ, path, words)
        if own is not environ:
            os.execve(path, words, own)  # its exception is raised to the program

    def _spawning(self, event: Tuple[Any, ...]) -> None:
        if _thread.get_ident() not in self._begun:  # else Popen reports it
            self._about_to_start(*event[:3])

    def _about_to_start(
        self, program: Any, words: Any, environ: Any, folder: Any = None, added: bool = False,
    ) -> Starting:
        if environ is None:
            self._restore_environment()
        process = Starting(
            _text(program), _words(words), _mapping(environ), _text(folder) or None, self._told.moment()
        )
        self._told.starting(process)
        is_bare = environ is not None and not added and process.python
        if process.ignores_environment or (is_bare and self._with_own(environ, program, words) is not environ):
            self._told.starting_unprobed(process)
        return process


def _names_of(method: Any) -> List[str]:
    """Return the parameter names of a method of Popen, without `self`."""
    return [parameter.name for parameter in parameters_of(method)][1:]


def is_python(program: str, path: Optional[str] = None) -> bool:
    """Return whether a program is a Python interpreter, or a script for one."""
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
    """Return the file of a program, as found on PATH; None if missing."""
    path = path or current_environ().get("PATH") or os.defpath
    for folder in [""] if os.path.dirname(program) else path.split(os.pathsep):
        file = os.path.join(folder, program)
        if program and os.path.isfile(file) and os.access(file, os.X_OK):
            return file
    return None


def _options(words: Sequence[str]) -> Set[str]:
    """Return the single-letter options of an interpreter, up to its program."""
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
    """Return the object that `os.environ` is now; a program may have replaced it."""
    module = sys.modules.get("os")
    return os.environ if module is None else vars(module).get("environ")


def current_environ() -> Mapping[str, str]:
    """Return the variables that the program sees now."""
    return _mapping(_current()) or {}


def _words(given: Any) -> Tuple[str, ...]:
    if isinstance(given, (str, bytes)) or hasattr(type(given), "__fspath__"):
        return (_text(given),)
    return tuple(map(_text, given)) if isinstance(given, (list, tuple)) else ()


def _text(value: Any) -> str:
    """Return an argument or path as text; "" for any other type, which cannot be started."""
    if hasattr(type(value), "__fspath__"):
        value = type(value).__fspath__(value)  # starting it will call this, too
    return os.fsdecode(value) if isinstance(value, (str, bytes)) else ""


def _mapping(environ: Any) -> Optional[Dict[str, str]]:
    """Return an environment as a dict of texts; None if it is no mapping. The lookup in os.environ is not recorded."""
    held: Any = environ
    if isinstance(environ, os._Environ):
        held = environ._data  # type: ignore[attr-defined]
    return {_text(name): _text(value) for name, value in held.items()} if isinstance(held, Mapping) else None


def with_inject(python_path: Optional[str]) -> str:
    """Return PYTHONPATH with the folder that loads the probes in front."""
    folders = [folder for folder in (python_path or "").split(os.pathsep) if folder and folder != INJECT]
    return os.pathsep.join([INJECT, *folders])


def as_here(environ: Mapping[str, str]) -> Injection:
    """Return an injection of this process's own variables; it gives none if the probes were loaded in another way."""
    own = {name: value for name, value in environ.items() if name.startswith("ISOLATION_PROBES_")}
    injected = "ISOLATION_PROBES_DIR" in own

    def injection(python_path: Optional[str]) -> Dict[str, str]:
        return {**own, "PYTHONPATH": with_inject(python_path), **_started_in()} if injected else {}

    return injection


def _started_in() -> Dict[str, str]:
    return {STARTED_IN: CURRENT.test} if CURRENT.test is not None else {}
