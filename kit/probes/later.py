"""Exceptions raised in a callback (an interrupt, an error of a signal handler), passed on to the program.

A C library that calls a probe swallows exceptions of the callback. They are raised again where it was called.
"""

from __future__ import annotations

from types import FrameType
from typing import Any, Callable, Generator, Optional

from .own import own_builtins as __builtins__  # noqa: F401
from .own import sys


def raise_in_caller(error: BaseException) -> None:
    """Raise an error in the frame that called the C function, after the function has returned."""
    caller: Optional[FrameType] = sys._getframe(1)
    while caller is not None and caller.f_globals.get("__package__") in _OWN:
        caller = caller.f_back
    if caller is None or sys.getprofile() is not None:
        return

    def raising(frame: FrameType, event: str, argument: Any) -> None:
        if frame is caller:
            sys.setprofile(None)
            raise error

    sys.setprofile(raising)


def in_callback(call: Callable[[Any], None]) -> Callable[[Any], Any]:
    """Make a callback with one argument for a C library; exceptions in it are raised in the program afterwards.

    A signal handler runs before the first line of a function that is just being called, where nothing in the function
    can catch its exception. A generator resumes within its `try`.
    """
    def serving() -> Generator[None, Any, None]:
        while True:
            try:
                call((yield))
            except GeneratorExit:
                raise
            except BaseException as error:
                raise_in_caller(error)

    generator = serving()
    next(generator)
    return generator.send


_OWN = {__package__, f"{__package__}.drivers"}
