"""How a refusal is reported: a line in the refusals file of the run, which may belong to a parent process.

It still arrives if the test has removed the folder of temporary files or mounted another file system over it.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Tuple

from .own import json, os, sys
from .own import own_builtins as __builtins__  # noqa: F401

NOTE = "note"  # the only key of a report about a Python that was started without the guard
Refusal = Dict[str, Any]
OpenFile = Tuple[int, int]  # the pid of a process that has the file open, and its file descriptor there

_NOT_REPORTED = "(The test run could not be informed: the file for its refusals cannot be opened.)"
_FLAGS = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


def appending_to(path: str, holder: Optional[OpenFile] = None) -> Callable[[Refusal], None]:
    """Return a function that appends a refusal to a file as a line of JSON; lines of several processes do not mix.

    The file must exist: its reader creates it. If it was removed, it is opened through its `holder` (/proc/PID/fd/N);
    if that fails, too, the refusal goes to standard error.
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
        _print_refusal(refusal)
    return tell


def _print_refusal(refusal: Refusal) -> None:
    from .gate import message

    if NOTE in refusal:
        say(f"db-guard: not guarded: {refusal[NOTE]} {_NOT_REPORTED}")
        return
    say(f"db-guard: {message(refusal)} {_NOT_REPORTED}")


def say(text: str) -> None:
    """Write a line to standard error, if the process has one."""
    stream = sys.__stderr__ if sys.stderr is None else sys.stderr
    try:
        print(text, file=stream, flush=True)
    except (OSError, ValueError, AttributeError):  # missing or closed; the connection is refused anyway
        return
