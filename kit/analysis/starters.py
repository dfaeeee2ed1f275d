"""Which event started a process of the run?"""

from __future__ import annotations

from kit.evidence.model import Child, Entry, Evidence


def starters(evidence: Evidence, entry: Entry) -> tuple[Child, ...]:
    """The starts in the parent process that may have created the process of an entry, the latest last."""
    processes = evidence.processes
    if entry.process >= len(processes):
        return ()
    own = processes[entry.process]
    return tuple(
        child
        for child in evidence.children
        if processes[child.process].pid == own.ppid and child.at_s <= entry.at_s and child.pid in (None, own.pid)
    )


def starter(evidence: Evidence, entry: Entry) -> Child | None:
    """The start that created the process of an entry, by its number, else the latest candidate; None without one."""
    found = starters(evidence, entry)
    numbered = [child for child in found if child.pid is not None]
    return next(reversed(numbered or found), None)
