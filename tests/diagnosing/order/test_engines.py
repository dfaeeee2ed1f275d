from __future__ import annotations

import pytest

from kit.diagnosing.order.engines import with_engines
from kit.diagnosing.order.model import FRESH, Line, Piece
from kit.evidence.model import Engine, Evidence, Frame, Use

CHAIN = (Frame("app/db.py", 8, "__init__"), Frame("app/db.py", 15, "interface"), Frame("app/main.py", 16, "add"))


def evidence(*tests: str) -> Evidence:
    engine = Engine(
        at_s=0, stack=0, test="t.py::test_add", engine="1", url="postgresql://app@db:5432/unit_1", dialect="postgresql",
        driver="psycopg", pool="QueuePool",
    )  # fmt: skip
    uses = tuple(Use(at_s=1, test=test, connection="2", engine="1") for test in tests)
    return Evidence(stacks=(CHAIN,), engines=(engine,), uses=uses)


def piece(line: int = 16, group: str = "project") -> Piece:
    return Piece("app.db.interface", group, "app.db", ".interface", "0", "1", (Line("app/main.py", line, "add"),))


def test_an_engine_that_answers_in_another_test_is_named() -> None:
    """The engine that was made at the line that wrote the piece is told, with its database and who else it serves."""
    (note,) = with_engines(evidence("t.py::test_add", "t.py::test_empty"), piece()).notes
    assert note[1:] == ("app/db.py", 8)
    assert note[0].endswith("in t.py::test_add, for unit_1, is kept and also answers in t.py::test_empty")


@pytest.mark.parametrize(
    ("tests", "one"),
    [
        (("t.py::test_add",), piece()),
        (("t.py::test_empty",), piece(line=17)),
        (("t.py::test_empty",), piece(group=FRESH)),
    ],
)
def test_no_other_engine_is_told(tests: tuple[str, ...], one: Piece) -> None:
    """One that serves its own test alone, or was made elsewhere, is not told; of rows none is."""
    assert with_engines(evidence(*tests), one) == one
