"""Experiments: one thing changed in a run, in memory only, to see what it decides. Nobody's files are touched.

Each change is a small object; `ISOLATION_PROBES_CHANGES` names a file with a list of them, which may be sealed, for
values have passwords in them: the key, a colon, and the file's name.

    {"op": "set", "name": N, "value": V}         the variable has this value from the start
    {"op": "pin", "name": N, "value": V}         the variable has this value throughout, whatever is written to it
    {"op": "unset", "name": N}                   the variable is not there at the start
    {"op": "hand-on", "name": N}                 a process that is started gets this variable, if this one has it
    {"op": "no-dotenv", "names": [N, ...], "file": F}   files of variables, or this one alone, do not hold these
    {"op": "edit", "file": F, "lines": [[first, last, text], ...]}   these lines of a module read otherwise
    {"op": "edit-data", "file": F, "lines": [[first, last, text], ...]}   these lines of a file of settings
    {"op": "path-first", "folder": F}            modules are looked for in this folder first
    {"op": "leave-out", "files": [...], "tests": [...]}              these are not collected
    {"op": "only", "files": [...], "tests": [...]}                   nothing else is run
    {"op": "first", "tests": [...]}              these run before all others, in this order
    {"op": "no-pool"}                            each connection is closed when it is given back
    {"op": "no-routing"}                         a session with an engine of its own sends all to that one
    {"op": "no-creator"}                         engines connect to where their URLs lead
    {"op": "one-in-memory"}                      an engine in memory has one connection, which all share
    {"op": "restore-folder"}                     the working directory is put back after each test
    {"op": "clear-caches"}                       functools' caches of the application are empty before each test
    {"op": "apply-override", "key": K, "to": D}  the override that is set for K is used for D, in every application;
                                                 with "kept" it is used when it has been taken away, too
    {"op": "redirect-call", "callable": D}       a plain call of D gives what the override of D gives
    {"op": "rebind-copies", "module": M, "name": N}   whoever copied M.N gets what M.N is set to
    {"op": "no-lifespan"}                        applications do not run their lifespan
    {"op": "no-background", "function": F}       this background task is not run
    {"op": "commit", "file": F, "line": L}       what is written to a session here is committed
    {"op": "redirect-session", "file": F, "line": L, "engine_file": G, "engine_line": M}
                                                 a session made here is bound to the engine made there
    {"op": "redirect-connection", "file": F, "function": N, "made_file": G, "made_line": M}
                                                 what this function connects to is what the tests' code there does
    {"op": "lead-elsewhere", "frames": [[F, L], ...], "engine_file": G, "engine_line": M, "nowhere": H}
                                                 what an engine or a connection made by way of these lines leads to is
                                                 the engine made there where it can be, else the empty file H or nothing
    ... with "of": U, "to": V                    so that engines made there, with the URL U, lead to where V does
    {"op": "remember", "file": F, "key": K}      what variables of databases are set to is kept in this file, sealed
    {"op": "stop"}                               no further test is begun once a connection has been refused

They are put in before the probes, or around them, so that the probes see the changed run. Each says in the record that
it was `made` when it took hold: an experiment in which nothing took hold shows nothing.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional

from ..hooks import Hooks
from ..own import importlib, json
from ..own import own_builtins as __builtins__  # noqa: F401
from ..recorder import Recorder
from ..sealed import Seal, new_key
from .change import Change

__all__ = ["CHANGES_VARIABLE", "Changes", "changes_from"]

CHANGES_VARIABLE = "ISOLATION_PROBES_CHANGES"
_KEY_LENGTH = len(new_key())

# The module beside this one that makes a change, and its function; it is imported in a run that is so changed only.
_MAKERS = {
    "set": ("variables", "set_"), "pin": ("variables", "pin"), "unset": ("variables", "unset"),
    "hand-on": ("variables", "hand_on"), "remember": ("variables", "remember"), "no-dotenv": ("variables", "no_dotenv"),
    "edit": ("texts", "edit"), "edit-data": ("texts", "edit_data"), "path-first": ("texts", "path_first"),
    "leave-out": ("tests", "choose"), "only": ("tests", "choose"), "first": ("tests", "choose"),
    "stop": ("tests", "stop"), "restore-folder": ("tests", "restore_folder"), "clear-caches": ("tests", "clear_caches"),
    "no-pool": ("connections", "no_pool"), "no-routing": ("connections", "no_routing"),
    "no-creator": ("connections", "no_creator"), "one-in-memory": ("connections", "one_in_memory"),
    "commit": ("connections", "commit"), "redirect-session": ("connections", "redirect_session"),
    "redirect-connection": ("connections", "redirect_connection"), "lead-elsewhere": ("connections", "lead_elsewhere"),
    "no-lifespan": ("applications", "no_lifespan"), "no-background": ("applications", "no_background"),
    "apply-override": ("overrides", "apply_override"), "redirect-call": ("overrides", "redirect_call"),
    "rebind-copies": ("copies", "rebind_copies"),
}


class Changes:
    """The changes of this run. An unknown `op` is refused with ValueError: the kit and its probes differ in version."""

    def __init__(self, recorder: Recorder, changes: List[Dict[str, Any]]) -> None:
        self._recorder, self._changes = recorder, changes
        self._around: List[Callable[[Hooks], None]] = []
        self.refused = False  # a connection was stopped: its database is not allowed

    def install(self, hooks: Hooks) -> None:
        for number, fields in enumerate(self._changes):
            if fields["op"] not in _MAKERS:
                raise ValueError(f"no such change: {fields['op']}")
            module, function = _MAKERS[fields["op"]]
            change = Change(fields, number, hooks, self._recorder, lambda: self.refused, self._around)
            getattr(importlib.import_module(f"{__name__}.{module}"), function)(change)

    def install_around(self, hooks: Hooks) -> None:
        """Put in what must be around the probes; to be called when those are in."""
        for install in self._around:
            install(hooks)


def changes_from(path: Optional[str]) -> List[Dict[str, Any]]:
    """Read the changes out of a file, sealed or not; none where there is no file."""
    if not path:
        return []
    key, colon, name = path.partition(":")
    sealed = bool(colon) and len(key) == _KEY_LENGTH
    with open(name if sealed else path, encoding="utf-8") as file:
        text = file.read()
    found: List[Dict[str, Any]] = json.loads(Seal(key).opened(text) if sealed else text)
    return found
