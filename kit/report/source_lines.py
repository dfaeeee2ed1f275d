"""The lines of code that a page shows, read from the project. Reads files, and only those in the project's folder."""

from __future__ import annotations

import linecache
import os
from collections.abc import Callable

from kit.evidence.model import Frame

Code = Callable[[Frame], str]
"""Gives the source code of a frame's line; "" where it is not known."""


def source_of(folder: str) -> Code:
    """Return a function that reads the line of a frame of a project; "" for code outside its folder, or for no folder.

    A line is that of the present file: of one that was changed after the run it can be another one.
    """

    def line_of(frame: Frame) -> str:
        path = os.path.realpath(os.path.join(folder, frame.file))
        inside = bool(folder) and path.startswith(os.path.join(os.path.realpath(folder), ""))
        return linecache.getline(path, frame.line) if inside and os.path.isfile(path) else ""

    return line_of
