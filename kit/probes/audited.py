"""The interpreter's audit events (PEP 578): received whatever a program has replaced, and whatever calls.

An audit hook cannot be removed. One hook for all listeners of guard and probes is added when the first asks for it;
for an event without listeners it returns at once.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Tuple

from .own import own_builtins as __builtins__  # noqa: F401
from .own import sys

Listener = Callable[[Tuple[Any, ...]], None]

_listening: Dict[str, Tuple[Listener, ...]] = {}
_hooked = False


def listen(event: str, listener: Listener) -> Callable[[], None]:
    """Call `listener` with an event's arguments before the event takes place; return a function that ends this.

    What a listener raises stops what was to be done, and is raised there.
    """
    global _hooked
    _listening[event] = (*_listening.get(event, ()), listener)
    if not _hooked:
        _hooked = True
        sys.addaudithook(_heard)

    def end() -> None:
        left = tuple(one for one in _listening.get(event, ()) if one is not listener)
        if left:
            _listening[event] = left
        else:
            _listening.pop(event, None)

    return end


def _heard(event: str, args: Tuple[Any, ...], _listening: Dict[str, Tuple[Listener, ...]] = _listening) -> None:
    if event in _listening:
        __tracebackhide__ = True  # pytest leaves such frames out of what it shows
        for listener in _listening[event]:
            listener(args)
