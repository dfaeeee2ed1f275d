"""What the probes write is JSON, whatever the values are, and none of their code is called for it."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from enum import IntEnum
from typing import Any

import pytest

from kit.probes.as_json import value_as_json


class Level(IntEnum):
    HIGH = 3


class Loud(str):
    def __str__(self) -> str:
        raise AssertionError("it was asked")

    __repr__ = __iter__ = __len__ = __str__  # type: ignore[assignment]


class Other:
    def __repr__(self) -> str:
        raise AssertionError("it was asked")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Level.HIGH, 3), (Loud("text"), "text"), (True, True), (None, None), (-1.5, -1.5),
        (math.nan, None), (math.inf, None), ((1, ["é"]), [1, ["é"]]), (frozenset({2}), [2]),
        (OrderedDict(a={3: Level.HIGH, None: "x"}), {"a": {"3": 3, "null": "x"}}), (Other(), "<Other>"),
        (b"bytes", "<bytes>"),
    ],
    ids=map(str, range(12)),  # pytest would make a name of the value
)
def test_every_value_is_written_and_none_is_asked(value: Any, written: Any) -> None:
    """Values of subclasses are written as what they are, those that JSON does not have by the name of their type."""
    assert json.loads(value_as_json(value)) == written
