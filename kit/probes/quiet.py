"""A failing probe must not end the program: it is switched off and reported, and the exception is swallowed.

Exceptions that reach a probe from outside go on to the program: KeyboardInterrupt, SystemExit, and any exception raised
by a signal handler. A probe that fails for lack of memory or stack is reported, but not switched off.
"""

from __future__ import annotations

from types import CodeType, FunctionType, MethodType
from typing import Any, Callable, Dict, List, Optional, Set, TypeVar

from .gate import DatabaseRefused
from .own import functools, signal
from .own import own_builtins as __builtins__  # noqa: F401

Function = TypeVar("Function", bound=Callable[..., Any])
Tell = Callable[[str, str], None]  # the probe's function, the reason

_FOR_ONCE = (RecursionError, MemoryError)

failures: Dict[str, str] = {}  # the probe's function -> the reason of its first failure
_switched_off: Set[str] = set()
_reported: Set[str] = set()
listeners: List[Tell] = []


def quietly(function: Function) -> Function:
    """Make a probe's function return None when it raises, and switch it off. DatabaseRefused goes to the program."""
    name = function.__qualname__

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if name in _switched_off:
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
    """Report a function that has failed, and switch it off, unless it only lacked memory or stack."""
    if not isinstance(error, _FOR_ONCE):
        _switched_off.add(name)
    try:
        failures.setdefault(name, reason(error))
        tell()
    except _FOR_ONCE:  # the next call of `tell` reports it
        return


def switched_off() -> Dict[str, str]:
    """Return the functions that are switched off, each with the reason."""
    return {name: why for name, why in failures.items() if name in _switched_off}


def tell() -> None:
    """Report the failures that have not been reported yet."""
    for name, why in list(failures.items()) if listeners else ():
        if name not in _reported:
            _reported.add(name)
            for listener in listeners:
                listener(name, why)


def clear() -> None:
    """Reset: all functions switched on, no failures, no listeners."""
    failures.clear()
    _switched_off.clear()
    _reported.clear()
    listeners.clear()


def reason(error: BaseException) -> str:
    """Return the type of an error and its first line."""
    kind = type(error)
    said = str(error) if kind.__module__ == "builtins" else next(iter(_args(error)), "")
    return f"{kind.__name__}: {said if type(said) is str else ''}".splitlines()[0]


_args: Callable[[BaseException], Any] = vars(BaseException)["args"].__get__


def is_of_a_signals_handler(error: BaseException) -> bool:
    """Return whether a signal handler raised an error, which then only happened to interrupt a probe."""
    traceback, running = error.__traceback__, []
    try:
        while traceback is not None:
            running.append(traceback.tb_frame.f_code)  # an audit event
            traceback = traceback.tb_next
    except Exception:  # of an audit hook of the program's, which no frame can be read under
        return False
    return any(code in running for code in map(_code_of, map(signal.getsignal, range(1, signal.NSIG))) if code)


def _code_of(handler: Any) -> Optional[CodeType]:
    """Return the code of a handler written in Python; None for another, which cannot be recognized in a traceback."""
    for _ in range(10):
        kind = type(handler)
        if kind is functools.partial:
            handler = handler.func
        elif kind is MethodType:
            handler = handler.__func__
        else:
            break
    return handler.__code__ if type(handler) is FunctionType else None
