"""What the tests start and leave running: child processes, which the kit can end, and threads, which nobody can."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Set, Tuple

from .audited import listen
from .frames import STARTED_BY, Stack, application_stack, name_of_thread
from .hooks import Hooks
from .objects import address, attribute, is_a
from .own import gc, os, sys, time
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly
from .redact import redact
from .stable import stable
from .threads import POOLS

GROUP = "running"
_THERE = "there"
_SECONDS_TO_END = 3.0
_SHOWN = 80  # characters of a command
_TERMINATE, _KILL = 15, 9


class LeftRunning:
    """Compares the running children and threads of this process between two moments."""

    def __init__(self) -> None:
        self._threads: Set[int] = set()
        self._children: Set[int] = set()
        self._started: Dict[str, Stack] = {}  # command -> the stack that started it last

    def install(self, hooks: Hooks) -> None:
        """Listen to the starts of processes."""
        hooks.on_removal(listen("subprocess.Popen", quietly(self._starting)))

    def _starting(self, args: Any) -> None:
        words, stack = args[1], application_stack()
        self._started[_command(words)] = stack
        if type(words) is list and len(words) == 3 and words[1] == "-c":  # of a shell, which Popen names by its script
            self._started[_command(words[2])] = stack

    @quietly
    def begins(self) -> None:
        """Take the snapshot; also called to adopt what a fixture has started that outlives its test."""
        self._threads = {address(thread) for thread in _threads()}
        self._children = {pid for pid, _ in _children()}

    @quietly
    def ends(self, put_back: Tuple[str, ...], keep: Tuple[str, ...]) -> List[Dict[str, Any]]:
        """End the children in `put_back`, or all but `keep`, and return what runs since the snapshot."""
        found: Dict[str, Dict[str, Any]] = {}
        for pid, command in _children():
            if pid not in self._children:
                place = f"the child process `{stable(redact(command)[:_SHOWN])}`"
                found.setdefault(place, _told(place, self._started.get(command, ()), True))
                if place not in keep if keep else place in put_back:
                    _end(pid)
        for thread in _threads():
            if address(thread) not in self._threads:
                place = f"the thread {name_of_thread(thread)}"
                found.setdefault(place, _told(place, STARTED_BY.get(thread) or (), False))
        return list(found.values())


def _told(place: str, stack: Stack, can_go_back: bool) -> Dict[str, Any]:
    return {
        "place": place, "group": GROUP, "holder": "", "label": place, "before": "", "after": _THERE, "notes": (),
        "written": [(file, line, function) for file, line, function, _ in stack], "can_go_back": can_go_back,
    }  # fmt: skip


def _threads() -> Iterator[Any]:
    """Yield the threads that run, without the workers of pools, which wait for whatever comes next."""
    active = attribute(sys.modules.get("threading"), "_active")
    for thread in list(active.values()) if type(active) is dict else ():
        if not name_of_thread(thread).startswith(POOLS):
            yield thread


def _children() -> Iterator[Tuple[int, str]]:
    """Yield the running children that subprocess and multiprocessing know of, each with its command."""
    kinds = tuple(
        kind for module, name in (("subprocess", "Popen"), ("multiprocessing.popen_fork", "Popen"))
        for kind in [attribute(sys.modules.get(module), name)] if type(kind) is type
    )  # fmt: skip
    for thing in gc.get_objects() if kinds else ():
        if is_a(thing, kinds):
            pid = attribute(thing, "pid")
            if type(pid) is int and attribute(thing, "returncode") is None and _is_running(pid):
                yield pid, _command(attribute(thing, "args"))


def _command(args: Any) -> str:
    if type(args) in (list, tuple):
        return " ".join(str(one) for one in args if type(one) in (str, bytes))
    return args if type(args) is str else "a function"


def _is_running(pid: int) -> bool:
    """Return whether a child runs, without taking its exit code from the program."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except OSError:  # it has been waited for
        return False


def _end(pid: int) -> None:
    for number in (_TERMINATE, _KILL):
        try:
            os.kill(pid, number)
        except OSError:
            return
        until = time.monotonic() + _SECONDS_TO_END
        while _is_running(pid) and time.monotonic() < until:
            time.sleep(0.01)
        if not _is_running(pid):
            return
