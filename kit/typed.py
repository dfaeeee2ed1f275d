"""Plain data to the frozen values of this kit, checked as it is read."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

Type = TypeVar("Type")

_read: set[Any] = set()
_first = threading.Lock()


def typed(data: Any, type_: type[Type]) -> Type:
    """Return `data`, of a decoder's making, as a value of `type_`. msgspec.ValidationError where it is none.

    What msgspec works out about a dataclass it keeps before that is whole, and a second thread that meets it at that
    moment ends the process by a segmentation fault (seen with 0.22). So the first value of a type is read alone.
    """
    if type_ in _read:
        return msgspec.convert(data, type_)
    with _first:
        value = msgspec.convert(data, type_)
        _read.add(type_)
    return value
