"""Runs in the interpreter of a stack: the parent of trials, and the fresh child that it forks for each.

Standard library only, because a stack does not contain the kit; `kit.trials.fork_server` is the kit's side.

    wire        messages and file descriptors over a unix socket
    libraries   the imports of a warm parent: third-party libraries, as pytest imports them
    freshness   what a parent must not contain, and whether a fork of it is as fresh as a new interpreter
    child       from a fork of the parent to a fresh interpreter that runs a command's module
    processes   every descendant of a parent, and how it is ended
    stand_in    the program that a script runs as Python: passes its command to the parent
    parent      accepts commands, forks or starts them, ends what they leave behind
"""

from __future__ import annotations

__all__ = ["ADDRESS", "PROBES", "READ_AT_START", "SETTINGS", "SET_AFTER_START", "TEMPORARY"]

# In a parent's folder: its socket, its settings, and the folder for its libraries' temporary files.
ADDRESS, SETTINGS, TEMPORARY = "parent", "settings.json", "tmp"
PROBES = "_isolation_probes"  # the package name under which kit/probes/inject loads the probes
# Variables that the interpreter or the C library reads at its start; they have no effect when set later ...
READ_AT_START = ("PYTHON", "LD_", "DYLD_", "LC_", "MALLOC_", "LANG", "GLIBC_TUNABLES")
# ... except these. PYTHON only tells scripts which interpreter to use.
SET_AFTER_START = ("PYTHON", "PYTHONPATH")
