"""What runs in the interpreter of a stack: the parent of trials, and the fresh child that it forks for each.

Standard library only, since a stack has nothing of the kit's; the kit's side of it is `kit.trials.fork_server`.

    wire        messages and open files over a unix socket
    libraries   what a warm parent imports: third-party libraries, as pytest would
    freshness   what a parent must not have in it, and whether a fork of it is as fresh as a new interpreter
    child       from a fork of the parent to a fresh interpreter that runs a command's module
    processes   every process that descends from a parent, and its end
    stand_in    what a script runs where it expects Python: hands itself over to the parent
    parent      takes commands, forks or starts them, ends what they leave behind
"""

from __future__ import annotations

__all__ = ["ADDRESS", "PROBES", "READ_AT_START", "SETTINGS", "SET_AFTER_START", "TEMPORARY"]

# In a parent's folder: the socket where it takes commands, what it is told, where its libraries may put files.
ADDRESS, SETTINGS, TEMPORARY = "parent", "settings.json", "tmp"
PROBES = "_isolation_probes"  # the name under which kit/probes/inject brings the probes in
# Variables that the interpreter or the C library read as they start: these are told at the beginning or not at all ...
READ_AT_START = ("PYTHON", "LD_", "DYLD_", "LC_", "MALLOC_", "LANG", "GLIBC_TUNABLES")
# ... but for these. The first is the scripts' word for their interpreter, and nothing to Python.
SET_AFTER_START = ("PYTHON", "PYTHONPATH")
