"""Where a refusal is told: in the process of the run itself, which keeps it, or to it, from a process that it started.

A refusal is told also where the test has taken the folder of temporary files away, or put another file system in.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Tuple

from .own import json, os, sys
from .own import own_builtins as __builtins__  # noqa: F401

NOTE = "note"  # of a Python that was started without the guard: what is told has nothing else
Refusal = Dict[str, Any]
Holder = Tuple[int, int]  # a process that has the file open, and the file's number there

_FLAGS = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


def appending_to(path: str, holder: Optional[Holder] = None) -> Callable[[Refusal], None]:
    """Tell of refusals as lines of JSON at the end of a file, whole lines from any number of processes.

    The file is there: it is made by who reads it. Where it was removed, it is reached through its `holder`.
    """
    def tell(refusal: Refusal) -> None:
        line = (json.dumps(refusal, default=repr) + "\n").encode()
        for name in (path, "/proc/%d/fd/%d" % holder) if holder is not None else (path,):
            try:
                number = os.open(name, _FLAGS)
            except OSError:
                continue
            try:
                os.write(number, line)
            finally:
                os.close(number)
            return
        _to_the_terminal(refusal)
    return tell


def _to_the_terminal(refusal: Refusal) -> None:
    from .gate import message

    if NOTE in refusal:
        say(f"db-guard: not guarded: {refusal[NOTE]} (The run that this process belongs to could not be told.)")
        return
    say(f"db-guard: {message(refusal)} (The run that this process belongs to could not be told.)")


def say(text: str) -> None:
    """Write a line to standard error, where the process has one."""
    stream = sys.__stderr__ if sys.stderr is None else sys.stderr
    try:
        print(text, file=stream, flush=True)
    except (OSError, ValueError, AttributeError):  # there is none, or it is closed: it is still refused
        return
