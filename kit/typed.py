"""Conversion of plain data to the frozen values of this kit, with type checks."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

Type = TypeVar("Type")

_read: set[Any] = set()
_first = threading.Lock()


def typed(data: Any, type_: type[Type]) -> Type:
    """Convert decoded `data` to `type_`. Raises msgspec.ValidationError when it does not fit.

    msgspec caches what it derives from a dataclass before that is complete; a second thread that reads the cache at
    that moment crashes with a segmentation fault (seen with 0.22). So the first value of each type is converted under a
    lock.
    """
    if type_ in _read:
        return msgspec.convert(data, type_)
    with _first:
        value = msgspec.convert(data, type_)
        _read.add(type_)
    return value
