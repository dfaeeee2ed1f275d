"""A probe that fails must not end the program under study: it is switched off, that is said, and nothing is raised.

What arrives from outside in the middle of a probe is the program's own and goes on to it: an interrupt, the end of the
interpreter, and whatever a handler of a signal raises. Where the program has no room left (in memory, or on its stack)
a probe cannot work for that once, and is not switched off for it.
"""

from __future__ import annotations

from types import CodeType, FunctionType, MethodType
from typing import Any, Callable, Dict, List, Optional, Set, TypeVar

from .gate import DatabaseRefused
from .own import functools, signal
from .own import own_builtins as __builtins__  # noqa: F401

Function = TypeVar("Function", bound=Callable[..., Any])
Tell = Callable[[str, str], None]  # the probe's function, why it failed

_FOR_ONCE = (RecursionError, MemoryError)

failures: Dict[str, str] = {}  # the probe's function -> why it failed first
_off: Set[str] = set()
_told: Set[str] = set()
listeners: List[Tell] = []


def quietly(function: Function) -> Function:
    """Make a probe's function return None where it fails, and from then on. A refusal by the gate is no failure."""
    name = function.__qualname__

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if name in _off:
            return None
        try:
            return function(*args, **kwargs)
        except DatabaseRefused:
            raise
        except Exception as error:
            if is_of_a_signals_handler(error):
                raise
            failed(name, error)
            return None
    return call  # type: ignore[return-value]


def failed(name: str, error: BaseException) -> None:
    """Switch a probe off that has failed, and report it."""
    if not isinstance(error, _FOR_ONCE):
        _off.add(name)
    try:
        failures.setdefault(name, reason(error))
        tell()
    except _FOR_ONCE:  # it is told later
        return


def switched_off() -> Dict[str, str]:
    """The probes' functions that have failed and stay off, and why each did."""
    return {name: why for name, why in failures.items() if name in _off}


def tell() -> None:
    """Report the failures that have not been reported."""
    for name, why in list(failures.items()) if listeners else ():
        if name not in _told:
            _told.add(name)
            for listener in listeners:
                listener(name, why)


def clear() -> None:
    """Begin anew, with all probes on and nobody to tell."""
    failures.clear()
    _off.clear()
    _told.clear()
    listeners.clear()


def reason(error: BaseException) -> str:
    """The kind of an error and its first line."""
    kind = type(error)
    said = str(error) if kind.__module__ == "builtins" else next(iter(_args(error)), "")
    return f"{kind.__name__}: {said if type(said) is str else ''}".splitlines()[0]


_args: Callable[[BaseException], Any] = vars(BaseException)["args"].__get__


def is_of_a_signals_handler(error: BaseException) -> bool:
    """Tell whether a handler of a signal's raised an error: it came by chance in the middle of what a probe does."""
    traceback, running = error.__traceback__, []
    while traceback is not None:
        running.append(traceback.tb_frame.f_code)
        traceback = traceback.tb_next
    return any(code in running for code in map(_code_of, map(signal.getsignal, range(1, signal.NSIG))) if code)


def _code_of(handler: Any) -> Optional[CodeType]:
    """Return the code of a handler that is Python's. Others do not raise, or are not to be told from a probe's own."""
    for _ in range(10):
        kind = type(handler)
        if kind is functools.partial:
            handler = handler.func
        elif kind is MethodType:
            handler = handler.__func__
        else:
            break
    return handler.__code__ if type(handler) is FunctionType else None
