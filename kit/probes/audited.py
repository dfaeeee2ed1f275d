"""Listeners to the interpreter's audit events (PEP 578), which monkeypatches cannot bypass.

An audit hook cannot be removed. One hook for all listeners of guard and probes is added with the first of them; for an
event without listeners it returns at once.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Tuple

from .own import own_builtins as __builtins__  # noqa: F401
from .own import sys

Listener = Callable[[Tuple[Any, ...]], None]

_listening: Dict[str, Tuple[Listener, ...]] = {}
_hooked = False


def listen(event: str, listener: Listener) -> Callable[[], None]:
    """Call `listener` with the arguments of an event before it takes place; return a function that removes it.

    An exception in the listener prevents the action, and is raised to its caller.
    """
    global _hooked
    _listening[event] = (*_listening.get(event, ()), listener)
    if not _hooked:
        _hooked = True
        sys.addaudithook(_dispatch)

    def end() -> None:
        left = tuple(one for one in _listening.get(event, ()) if one is not listener)
        if left:
            _listening[event] = left
        else:
            _listening.pop(event, None)

    return end


def _dispatch(event: str, args: Tuple[Any, ...], _listening: Dict[str, Tuple[Listener, ...]] = _listening) -> None:
    if event in _listening:
        __tracebackhide__ = True  # pytest hides such frames in tracebacks
        for listener in _listening[event]:
            listener(args)
