from __future__ import annotations

import pytest

from kit.probes.statements import Statement, read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1", Statement(False, False, ())),
        ("SELECT a FROM public.sites AS s JOIN \"Users\" u ON true", Statement(False, False, ("sites", "users"))),
        ("insert into sites (name) values (1)", Statement(True, False, ("sites",))),
        ("  /* a comment */ UPDATE only sites SET name = 1", Statement(True, False, ("sites",))),
        ("-- from nowhere\ndelete from sites", Statement(True, False, ("sites",))),
        ("create table if not exists `sites` (x)", Statement(True, False, ("sites",))),
        ("drop table if exists [sites]", Statement(True, False, ("sites",))),
        ("truncate sites", Statement(True, False, ("sites",))),
        ("with x as (select 1) select * from x", Statement(False, False, ("x",))),
        ("with x as (insert into sites values (1)) select * from x", Statement(True, False, ("sites", "x"))),
        ("COMMIT", Statement(False, True, ())),
        ("ROLLBACK;", Statement(False, True, ())),
        ("rollback to savepoint x", Statement(False, False, ())),
        ("commitment", Statement(False, False, ())),
        ("BEGIN", Statement(False, False, ())),
        ("", Statement(False, False, ())),
    ],
)  # fmt: skip
def test_what_a_statement_does(text: str, expected: Statement) -> None:
    """Whether a statement writes or ends a transaction, and which tables it names, is read from its text."""
    assert read(text)[:3] == expected[:3]


def test_texts_without_end_are_not_all_kept() -> None:
    """However many statements there are, and however long, few are remembered and little is read."""
    from kit.probes import statements

    for number in range(2 * statements._STATEMENTS_AT_MOST + 1):
        read(f"select {number}")
    assert len(statements._known) <= statements._STATEMENTS_AT_MOST
    assert read("select " + "x" * 10_000_000 + " from sites").tables == ()
