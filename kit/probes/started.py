"""Programs that no probe sees: native database clients, and a Python that another program starts without the probes."""

from __future__ import annotations

from typing import Mapping, Optional

from .children import INJECT, Listening, Started, Starting, current_environ, find, is_python, with_inject
from .clients import CLIENTS, Destination, destinations_of
from .own import os
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly
from .recorder import Recorder
from .shells import Command, commands

_CARRIES = "ISOLATION_PROBES_DIR"
_LEAVING = ("-I", "-E", "-S")


class Unwatched(Started):
    """Records each process, and where a client would connect to, according to its arguments and variables.

    In a re-run with an allow-list, `judge` refuses clients.
    """

    def __init__(self, recorder: Recorder, judge: Optional[Listening] = None) -> None:
        super().__init__(recorder)
        self._not_seen, self._judge = recorder, judge

    def starting(self, process: Starting) -> None:
        __tracebackhide__ = True
        if process.python:  # it loads the probes, or `starting_unprobed` is called
            return
        if self._judge is not None:
            self._judge.starting(process)
        self._look(process)

    @quietly
    def starting_unprobed(self, process: Starting) -> None:
        self._child(os.path.basename(process.program), process.why_unprobed)

    @quietly
    def _look(self, process: Starting) -> None:
        environ = {**(current_environ() if process.environ is None else process.environ), _CARRIES: "1"}
        environ["PYTHONPATH"] = with_inject(environ.get("PYTHONPATH"))
        folder, words = process.folder or os.getcwd(), (process.program, *process.words[1:])
        for asked in destinations_of(words, environ, folder, _program_exists):
            self._client(asked)
        for found in commands(words, environ, folder, CLIENTS):
            if isinstance(found, Command) and is_python(found.words[0], found.environ.get("PATH")):
                self._python(found)

    def _client(self, asked: Destination) -> None:
        file = os.path.realpath(asked.file) if asked.file else asked.file
        if file == "":  # in memory
            return
        where = asked.url or file or None
        self._not_seen.event(
            "not_seen", apart=(asked.client, where), what="client", name=asked.client, why=asked.why_not, asked=where,
        )

    def _python(self, found: Command) -> None:
        why = why_unprobed(found, _CARRIES)
        if why is not None:
            self._child(found.name, why)

    def _child(self, name: str, why: str) -> None:
        self._not_seen.event("not_seen", apart=(name, why), what="child", name=name, why=why)


def why_unprobed(found: Command, variable: str) -> Optional[str]:
    """Return why a Python started by another program does not load the probes; None if it does.

    `variable` is the variable that it needs besides PYTHONPATH.
    """
    if found.elsewhere:
        return f"{found.elsewhere} starts it in a container or on another machine"
    if variable not in found.environ:
        return "the variables that load the probes are removed before it starts"
    if INJECT not in found.environ.get("PYTHONPATH", "").split(os.pathsep):
        return "PYTHONPATH is replaced before it starts"
    return f"it is started with {found.words[1]}" if any(word in _LEAVING for word in found.words[1:2]) else None


def _program_exists(program: str, environ: Mapping[str, str]) -> bool:
    return find(program, environ.get("PATH")) is not None
