"""What arrives in the middle of a callback (an interrupt, a signal's handler's error) and must not end there.

A library in C that calls a probe back swallows what is raised in it. It is raised again where the library was called.
"""

from __future__ import annotations

from types import FrameType
from typing import Any, Callable, Generator, Optional

from .own import own_builtins as __builtins__  # noqa: F401
from .own import sys


def raise_in_caller(error: BaseException) -> None:
    """Raise an error once the function in C that called a probe back is over, where that function was called."""
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
    """Make a callback, of one argument, of a library in C: what the program is to have of it is raised in the program.

    A handler of a signal runs where Python's code goes on: in a function that is before its first line, so that nothing
    in it can catch what the handler raises. A generator goes on within its `try`.
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
