from __future__ import annotations

import pytest

from kit.diagnosing.outside.contents import Contents, Left, Object, Table, differences
from kit.probes.stable import stable


def table(*rows: str) -> Table:
    return Table(rows, len(rows))


def of(**tables: Table) -> Contents:
    return Contents(tables)


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (of(t=table("a")), of(t=table("a")), []),
        (of(t=table("a", "b")), of(t=table("b", "a")), []),
        (of(t=table()), of(t=table("a")), [Left("table", "t", "0 rows", "1 row")]),
        (of(t=table("a")), of(t=table("b")), [Left("table", "t", "1 row", "1 row, 1 of them changed")]),
        (of(), of(t=table("a", "b")), [Left("table", "t", "", "2 rows")]),
        (of(t=table("a")), of(), [Left("table", "t", "1 row", "", can_go_back=False)]),
        (of(t=Table(None, 9, "x")), of(t=Table(None, 9, "y")), [Left("table", "t", "9 rows", "9 rows", False)]),
        (of(t=Table(None, 9, "x")), of(t=Table(None, 9, "x")), []),
        (Contents(sequences={"s": "1"}), Contents(sequences={"s": "2"}), [Left("sequence", "s", "1", "2")]),
        (Contents(), Contents(objects={"v": Object("view")}), [Left("view", "v", "", "there")]),
        (Contents(), Contents(settings={"a of role b": "c"}), [Left("setting", "a of role b", "", "c")]),
    ],
)
def test_what_differs(before: Contents, after: Contents, wanted: list[Left]) -> None:
    """Rows are compared in whatever order; what is too much to keep, by its digest; a sequence, by its last value."""
    assert list(differences(before, after)) == wanted


def test_what_is_in_a_new_schema_goes_with_it() -> None:
    """A view of a schema that was made is not told by itself."""
    after = Contents(objects={"s": Object("schema"), "s.v": Object("view"), "w": Object("view")})
    assert [left.name for left in differences(Contents(), after)] == ["s", "w"]


def test_what_a_fixture_makes_is_taken_in_as_it_is() -> None:
    """A table that is there later only counts with its rows of that moment; one that was there keeps its own."""
    taken = of(t=table("a")).with_new_of(of(t=table("a", "b"), u=table("c")))
    assert taken == of(t=table("a"), u=table("c"))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("shop_test", "shop_test"), ("unit_1", "unit_1"), ("test_gw0_48211.t", "test_gw0_*.t"),
        ("db_5f2c9a01be", "db_*"), ("deadline", "deadline"), ("orders_2024", "orders_*"),
    ],
)  # fmt: skip
def test_a_name_without_what_each_run_has_of_its_own(name: str, wanted: str) -> None:
    """The number of a process or an identifier in a name is another in the next run, and a short number is not."""
    assert stable(name) == wanted
