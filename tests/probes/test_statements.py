from __future__ import annotations

import pytest

from kit.probes.statements import Statement, read


def reads(*tables: str) -> Statement:
    return Statement(False, False, tables)


def writes(*tables: str) -> Statement:
    return Statement(True, False, tables)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1", reads()),
        ("SELECT a FROM public.sites AS s JOIN \"Users\" u ON true", reads("sites", "users")),
        ("insert into sites (name) values (1)", writes("sites")),
        ("  /* a comment */ UPDATE only sites SET name = 1", writes("sites")),
        ("-- from nowhere\ndelete from sites", writes("sites")),
        ("create table if not exists `sites` (x)", writes("sites")),
        ("drop table if exists [sites]", writes("sites")),
        ("truncate sites", writes("sites")),
        ("with x as (select 1) select * from x", reads()),
        ("with x as (insert into sites values (1)) select * from x", writes("sites")),
        ("with x as (update only t set a = 1 returning a) select * from x", writes("t")),
        ("with x (a, b) as not materialized (select 1, 2) select * from x, t for update", reads("t")),
        ("with x as (select 1) delete from t using x, u where x.a = t.a", writes("t", "u")),
        ("select * from a where a is not distinct from b or c is distinct from d", reads("a")),
        ("select distinct x from a", reads("a")),
        ("select * from a, b as z, public.c join d on z.x = greatest(a.x, 1), e", reads("a", "b", "c", "d", "e")),
        ("select a, b from t order by a, b limit 1, 2", reads("t")),
        ("select '--', '/*' from a where b = 'it''s from c' -- from d", reads("a")),
        ("select $$ from b $$ from a /* from /* c */ from d */", reads("a")),
        ("select extract(year from x), (select max(y) from u where trim(both from z) = '') from t", reads("u", "t")),
        ("select * from generate_series(1, 2) as g, lateral (select * from t, u) as v, w", reads("t", "u", "w")),
        ("select * from (select 1) as x, a", reads("a")),
        ("select * from (a join b on true), c", reads("a", "b", "c")),
        ("insert into t (a, b) select c, d from u on conflict (a) do update set b = 1", writes("t", "u")),
        ("insert into t (a) values (1), (2)", writes("t")),
        ("merge into t using u on t.a = u.a when matched then update set b = 1", writes("t", "u")),
        ("update t set a = 1 from u, v where t.x = u.x", writes("t", "u", "v")),
        ("alter table t add column a int, add column b int", writes("t")),
        ("alter table t alter column a type int using a::int", writes("t")),
        ("drop table if exists a, b cascade", writes("a", "b")),
        ("truncate table only a, b restart identity", writes("a", "b")),
        ("create table t as select * from u", writes("t", "u")),
        ("create index i on t using btree (a)", writes()),
        ("copy t (a, b) from stdin", writes("t")),
        ("copy (select * from t) to stdout", reads("t")),
        ("copy t to stdout", reads("t")),
        ('copy "T" from stdin', writes("t")),
        ("copy t from program 'x' (format csv)", writes("t")),
        ("select * from t join u using (id), v", reads("t", "u", "v")),
        ("revoke select on t from someone", reads()),
        ("explain (analyze) delete from t", writes("t")),
        ("explain update t set a = 1", reads("t")),
        ("select 1; delete from t; commit", Statement(True, True, ("t",))),
        ("rollback work to savepoint x", reads()),
        ('select * from "from", "(" where true', reads("from", "(")),
        ("select a from", reads()),
        ("from t select a", reads("t")),
        ("select (((", reads()),
        (")))) from t", reads()),
        ("COMMIT", Statement(False, True, ())),
        ("ROLLBACK;", Statement(False, True, ())),
        ("rollback to savepoint x", reads()),
        ("commitment", reads()),
        ("BEGIN", reads()),
        ("", reads()),
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


@pytest.mark.parametrize(
    ("text", "sets"),
    [
        ("SET search_path = other", True), ("reset all", True), ("select set_config('app.tenant', '1', false)", True),
        ("pragma foreign_keys = on", True), ("pragma foreign_keys(1)", True), ("pragma foreign_keys", False),
        ("attach 'a.db' as a", True), ("update t set x = 1", False), ("select 1", False),
    ],
)  # fmt: skip
def test_what_sets_something_of_the_connection_is_told_apart(text: str, sets: bool) -> None:
    """A setting, a pragma with a value and an attached file count; a pragma that asks does not, nor an UPDATE."""
    assert read(text).sets is sets
