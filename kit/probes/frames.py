"""Whose code is running: the application's own frames, out of a stack that is mostly libraries'."""

from __future__ import annotations

import os
import sys
import sysconfig
from types import FrameType
from typing import Dict, Iterator, List, Optional, Tuple

Frame = Tuple[str, int, str]  # file, line, function
Stack = Tuple[Frame, ...]  # innermost first

APPLICATION, LIBRARY, INTERPRETER = "application", "library", "interpreter"

_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep
_CARRIED = os.path.join(os.path.dirname(_OWN.rstrip(os.sep)), "carried") + os.sep
_WORKER = os.path.join(os.path.dirname(_OWN.rstrip(os.sep)), "worker") + os.sep
_INTERPRETER_ROOTS = tuple(
    {os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")}
    | {os.path.abspath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")}
)
_SCRIPTS = os.path.abspath(sysconfig.get_path("scripts")) + os.sep
_FRAMES_AT_MOST = 500  # a runaway recursion must not make a probe slow
_APPLICATION_FRAMES_AT_MOST = 24
_LIBRARY_FRAMES_AT_MOST = 3

_owner_of_file: Dict[str, str] = {}


def owner(filename: str) -> str:
    """Say whose code a file holds: the application's, a library's, or the interpreter's (the probes count as that)."""
    known = _owner_of_file.get(filename)
    if known is None:
        known = _owner_of_file[filename] = _find_owner(filename)
    return known


def _find_owner(filename: str) -> str:
    if filename.startswith("<"):
        return INTERPRETER
    path = os.path.abspath(filename)
    if path.startswith((_OWN, _CARRIED, _WORKER)):
        return INTERPRETER
    parts = path.split(os.sep)
    if "site-packages" in parts or "dist-packages" in parts or path.startswith(_SCRIPTS):
        return LIBRARY
    if path.startswith(_INTERPRETER_ROOTS):
        return INTERPRETER
    return APPLICATION


def application_stack() -> Stack:
    """Return the application's frames that led here, innermost first.

    Where no application code is on the stack (a plugin, a background thread of a library), the innermost library
    frames stand in for it, so that an event always says who was at work; only the interpreter itself gives ().
    """
    own: List[Frame] = []
    libraries: List[Frame] = []
    for frame in _running_frames():
        code = frame.f_code
        whose = owner(code.co_filename)
        if whose is INTERPRETER:
            continue
        found = own if whose is APPLICATION else libraries
        if len(found) < _APPLICATION_FRAMES_AT_MOST:
            found.append((code.co_filename, frame.f_lineno, getattr(code, "co_qualname", code.co_name)))
    return tuple(own) or tuple(libraries[:_LIBRARY_FRAMES_AT_MOST])


def under_library(folder: str) -> bool:
    """Tell whether code of the library in site-packages folder `folder` is on the stack."""
    part = os.sep + folder + os.sep
    return any(part in frame.f_code.co_filename for frame in _running_frames())


def _running_frames() -> Iterator[FrameType]:
    for count, frame in enumerate(_across_greenlets(sys._getframe(2))):
        if count >= _FRAMES_AT_MOST:
            return
        yield frame


def _across_greenlets(frame: Optional[FrameType]) -> Iterator[FrameType]:
    """Follow callers, also out of the greenlet in which SQLAlchemy runs its synchronous half under asyncio."""
    module = sys.modules.get("greenlet")
    getcurrent = getattr(module, "getcurrent", None)
    greenlet = getcurrent() if getcurrent else None
    while frame is not None:
        yield frame
        frame = frame.f_back
        while frame is None and greenlet is not None:
            greenlet = greenlet.parent
            frame = greenlet.gr_frame if greenlet is not None else None
