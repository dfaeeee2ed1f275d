"""The guard of one process: the gate at every driver, without the recording of other events.

It is inherited by Python processes that this one starts: they get its environment variables, even if they are started
with an environment of their own. An interpreter started with `-I`, `-E` or `-S` ignores these. A native client (`psql`,
`mysqldump`, `sqlite3` ...) is judged by its arguments and variables before it starts.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Tuple

from .allow import AllowList
from .audited import listen
from .children import Children, Listening, Starting, current_environ, find, is_python, with_inject
from .clients import CLIENTS, destinations_of
from .coverage_use import CoverageProbe
from .drivers import DIALECTS, PACKAGES, DriverProbe
from .frames import application_stack
from .gate import Gate, GuardedDatabases, Refusal
from .hooks import Hooks
from .objects import attribute, text_of
from .own import json, os, re
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import switched_off
from .redact import learn_all
from .refusals import NOTE, OpenFile, appending_to
from .shells import Command, commands
from .started import why_unprobed

GUARD_VARIABLE = "ISOLATION_PROBES_GUARD"


_KNOWN = ".servers"  # suffix to the name of the refusals file


class Started(Listening):
    """Judges each program before it starts: a native client by the database that it would connect to."""

    def __init__(self, gate: Gate, note: Optional[Callable[[str], None]]) -> None:
        self._gate, self._note = gate, note

    def starting(self, process: Starting) -> None:
        __tracebackhide__ = True
        if process.python:  # its own guard judges its connections
            return
        environ = current_environ() if process.environ is None else process.environ
        words = (process.program, *process.words[1:])
        folder = process.folder or os.getcwd()
        injected = {**environ, GUARD_VARIABLE: "", "PYTHONPATH": with_inject(environ.get("PYTHONPATH"))}
        for found in commands(words, injected, folder, CLIENTS):
            if isinstance(found, Command) and is_python(found.words[0], found.environ.get("PATH")):
                self._note_unguarded(found.name, why_unprobed(found, GUARD_VARIABLE))
        for asked in destinations_of(words, environ, folder, _program_exists):
            if asked.client in self._gate.unjudged:
                continue
            if asked.why_not:
                self._gate.by(asked.client, asked.why_not)
            elif asked.file is not None:
                self._gate.file(os.path.realpath(asked.file) if asked.file else None)
            else:
                self._gate.server(asked.url, None, None)

    def starting_unprobed(self, process: Starting) -> None:
        __tracebackhide__ = True
        if not process.ignores_environment:
            self._gate.by(os.path.basename(process.program), process.why_unprobed)
        else:
            self._note_unguarded(os.path.basename(process.program), process.why_unprobed)

    def another_interpreter(self, event: Any) -> None:
        """Report another interpreter in this process, which has modules of its own and therefore no guard."""
        self._note_unguarded("Python", "another interpreter in this process")

    def _note_unguarded(self, name: str, why: Optional[str]) -> None:
        if self._note is not None and why is not None:
            place = "".join(f", {file}:{line}" for file, line, _, _ in application_stack()[:1])
            self._note(f"{name}: {why}{place}")


def _program_exists(program: str, environ: Mapping[str, str]) -> bool:
    return find(program, environ.get("PATH")) is not None


class Guard:
    """Active from construction until `remove`.

    Refusals go to `tell`; by default they are appended to `file` as lines of JSON (`holder` is a process that has it
    open). `unjudged` are drivers and programs that may connect although their destination cannot be determined. `note`
    is called for a Python that is started without the guard; by default that goes to `tell` as a NOTE. The identities
    of servers are shared in the file `known` by all processes of the run.
    """

    def __init__(
        self, allow: AllowList, file: str, tell: Optional[Callable[[Refusal], None]] = None,
        holder: Optional[OpenFile] = None, unjudged: Iterable[str] = (), note: Optional[Callable[[str], None]] = None,
    ) -> None:
        learn_all(dict(os.environ))
        self.allow, self.file, self.holder = allow, file, holder
        self.tell = tell or appending_to(file, holder)
        self.hooks = Hooks()
        self.known = _inherited_identities() or f"{file}{_KNOWN}"
        self.gate = Gate(allow, self.tell, self.known, unjudged)
        self._environ: Dict[str, Optional[str]] = {}
        tell_elsewhere = self.tell
        note = note or (lambda text: tell_elsewhere({NOTE: text}))
        DriverProbe(GuardedDatabases(self.gate), statements=False).install(self.hooks)
        self.hooks.when_imported("sqlalchemy", self._watch_other_drivers)
        CoverageProbe(guard=True).install(self.hooks)
        started = Started(self.gate, note)
        Children(self._injection, started).install(self.hooks)
        self.hooks.on_removal(listen("cpython.PyInterpreterState_New", started.another_interpreter))

    def idle(self) -> Tuple[str, ...]:
        """Return the entries of the allow-list that have not matched so far in any process of the run."""
        return self.gate.servers.idle()

    def forget_servers(self) -> None:
        """Remove the file of server identities if this guard created it."""
        if self.known == f"{self.file}{_KNOWN}" and os.path.exists(self.known):
            os.unlink(self.known)

    @property
    def failures(self) -> Mapping[str, str]:
        """The hooks that could not be set or have failed since, each with the reason: the guard does not work there."""
        return {**self.hooks.failures, **switched_off()}

    def inject_into_children(self) -> None:
        """Set the variables that load the guard into Python processes started from here."""
        for name, value in self._injection(os.environ.get("PYTHONPATH")).items():
            self._environ[name] = os.environ.get(name)
            os.environ[name] = value

    def remove(self) -> None:
        """Remove the guard from this process and restore its variables."""
        self.hooks.remove()
        for name, value in self._environ.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._environ = {}

    def _injection(self, python_path: Optional[str]) -> Dict[str, str]:
        settings = {
            "allow": self.allow.entries, "base": self.allow.base, "file": self.file, "holder": self.holder,
            "known": self.known, "unjudged": sorted(self.gate.unjudged),
        }
        return {"PYTHONPATH": with_inject(python_path), GUARD_VARIABLE: json.dumps(settings)}

    # --- drivers without a probe of their own, if they are used through SQLAlchemy -----------------------------------

    def _watch_other_drivers(self, sqlalchemy: ModuleType) -> None:
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        event.listen(Engine, "do_connect", self._connecting)
        self.hooks.on_removal(lambda: event.remove(Engine, "do_connect", self._connecting))

    def _connecting(self, dialect: Any, record: Any, args: Any, parameters: Mapping[str, Any]) -> None:
        __tracebackhide__ = True  # else pytest shows the arguments, with the password
        driver, name = (attribute(dialect, what) for what in ("driver", "name"))  # a custom dialect may lack both
        if type(driver) is str and driver in DIALECTS and _is_the_drivers_own(attribute(dialect, "dbapi")):
            return
        told = {**_settings(args), **{name.lower(): value for name, value in parameters.items()}}
        host = told.get("host") or told.get("server") or ""
        database = next((told[name] for name in ("database", "dbname", "db", "service_name") if told.get(name)), "")
        if not host and os.path.isabs(os.path.expanduser(str(database))):
            self.gate.file(os.path.realpath(os.path.expanduser(str(database))))
        else:
            port = f":{told['port']}" if told.get("port") else ""
            self.gate.server(f"{text_of(name) or 'database'}://{host}{port}/{database}", None, None)


def _is_the_drivers_own(dbapi: Any) -> bool:
    """Return whether a dialect connects through a driver that has an adapter, and not through a replacement of it."""
    if dbapi is None or type(dbapi).__module__.partition(".")[0] == "sqlalchemy":  # the wrapper of an async driver
        return True
    return isinstance(dbapi, ModuleType) and str(vars(dbapi).get("__name__")).partition(".")[0] in PACKAGES


def _settings(args: Any) -> Dict[str, Any]:
    """Parse `name=value` pairs from the connection strings among the positional arguments (ODBC)."""
    found = (pair for text in args if isinstance(text, str) for pair in re.findall(r"(\w+)\s*=\s*([^;\s]+)", text))
    return {name.lower(): value for name, value in found}


def _inherited_identities() -> Optional[str]:
    """Return the file of server identities of the guard that was loaded from the environment; None without one."""
    text = os.environ.get(GUARD_VARIABLE)
    known: Optional[str] = json.loads(text).get("known") if text else None
    return known


_injected: Optional[Guard] = None


def guard_from(text: str) -> Guard:
    """Install the guard that another process passed on through GUARD_VARIABLE, whose value is `text`."""
    global _injected
    settings = json.loads(text)
    holder = settings.get("holder")
    _injected = Guard(
        AllowList(settings["allow"], settings["base"]), settings["file"], holder=holder and (holder[0], holder[1]),
        unjudged=settings.get("unjudged", ()),
    )
    return _injected


def end_injected() -> Optional[Guard]:
    """Remove the guard that was loaded from the environment, so that this process can install its own; return it."""
    global _injected
    guard, _injected = _injected, None
    if guard is not None:
        guard.remove()
    return guard
