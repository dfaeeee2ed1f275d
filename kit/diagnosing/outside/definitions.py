"""How the tables and other objects of a Postgres database are defined: the statements that make them again.

What the kit would not make exactly as it was (a partition, a table with grants, policies, rules or comments, or that a
publication or another table's policy names) has no statements, and is then compared but not made again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from kit.diagnosing.outside.clients import Client
from kit.diagnosing.outside.contents import Object

_OURS = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
_NOT_OF_EXTENSION = "not exists (select from pg_depend d where d.objid = {}.oid and d.deptype = 'e')"
_NAME = "quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
_SEQUENCE = """\
' start ' || s.seqstart || ' increment ' || s.seqincrement || ' minvalue ' || s.seqmin || ' maxvalue ' || s.seqmax
|| ' cache ' || s.seqcache || case when s.seqcycle then ' cycle' else '' end"""
_PLAIN = """\
and {0}.{1}acl is null and pg_get_userbyid({0}.{1}owner) = current_user
and not exists (select from pg_description kit where kit.objoid = {0}.oid)"""
_TABLES = f"""\
select n.nspname, c.relname, case c.relpersistence when 'u' then 'unlogged ' else '' end,
       (not c.relispartition and not c.relrowsecurity and not c.relforcerowsecurity and c.reloptions is null
        and c.reloftype = 0 and c.relreplident = 'd' and c.reltablespace = 0 and not c.relhasrules
        {_PLAIN.format("c", "rel")}
        and not exists (select from pg_depend d where d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid
                        and d.classid not in ('pg_class'::regclass, 'pg_type'::regclass, 'pg_constraint'::regclass,
                          'pg_attrdef'::regclass, 'pg_rewrite'::regclass, 'pg_trigger'::regclass))
        and not exists (select from pg_inherits i where c.oid in (i.inhrelid, i.inhparent))
        and not exists (select from pg_policy p where p.polrelid = c.oid)
        and not exists (select from pg_statistic_ext e where e.stxrelid = c.oid)
        and not exists (select from pg_attribute a join pg_type t on t.oid = a.atttypid
                        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                        and (a.attacl is not null or a.attoptions is not null or a.attstorage <> t.typstorage)))::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace where {_OURS} and c.relkind = 'r'"""
_COLUMNS = f"""\
select n.nspname, c.relname, quote_ident(a.attname),
       quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
       || coalesce(' collate ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname), '')
       || case when a.attidentity <> '' then
            ' generated ' || case a.attidentity when 'a' then 'always' else 'by default' end || ' as identity'
          when a.attgenerated <> '' then ' generated always as (' || pg_get_expr(e.adbin, e.adrelid) || ')'
            || case a.attgenerated when 's' then ' stored' else '' end
          when e.adbin is not null then ' default ' || pg_get_expr(e.adbin, e.adrelid) else '' end
       || case when a.attnotnull then ' not null' else '' end,
       a.attgenerated::text,
       coalesce((select ' (sequence name ' || quote_ident(sn.nspname) || '.' || quote_ident(sc.relname) || {_SEQUENCE}
                        || ')'
                 from pg_depend d join pg_class sc on sc.oid = d.objid join pg_namespace sn on sn.oid = sc.relnamespace
                 join pg_sequence s on s.seqrelid = sc.oid
                 where d.refobjid = c.oid and d.refobjsubid = a.attnum and d.deptype = 'i'), '')
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
join pg_type t on t.oid = a.atttypid
left join pg_attrdef e on e.adrelid = c.oid and e.adnum = a.attnum
left join pg_collation co on co.oid = a.attcollation and a.attcollation <> t.typcollation
left join pg_namespace cn on cn.oid = co.collnamespace
where {_OURS} and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped order by 1, 2, a.attnum"""
_CONSTRAINTS = f"""\
select n.nspname, c.relname, 'constraint ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid)
from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
where {_OURS} and c.relkind = 'r' and k.contype in ('p', 'u', 'c', 'x', 'f')
order by 1, 2, k.contype = 'f', k.conname"""
_NUMBERS = f"""\
select n.nspname, c.relname, sn.nspname, sc.relname, quote_ident(a.attname), d.deptype::text,
       format_type(s.seqtypid, null) || {_SEQUENCE}
from pg_depend d join pg_class sc on sc.oid = d.objid and sc.relkind = 'S' join pg_namespace sn
  on sn.oid = sc.relnamespace
join pg_sequence s on s.seqrelid = sc.oid join pg_class c on c.oid = d.refobjid
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
where {_OURS} and c.relkind = 'r' and d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i')
order by 1, 2, 3, 4"""
_OF_TABLES = f"""\
select 'index', n.nspname, ic.relname, n.nspname, c.relname, pg_get_indexdef(i.indexrelid)
from pg_index i join pg_class ic on ic.oid = i.indexrelid join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
where {_OURS} and c.relkind in ('r', 'm') and not exists (select from pg_constraint k where k.conindid = i.indexrelid)
union all
select 'trigger', n.nspname, t.tgname || ' on ' || c.relname, n.nspname, c.relname, pg_get_triggerdef(t.oid)
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
where {_OURS} and not t.tgisinternal and t.tgenabled = 'O'
order by 1, 2, 3"""
_OTHERS = f"""\
select n.nspname, 'schema', '', case when true {_PLAIN.format("n", "nsp")}
       then 'create schema ' || quote_ident(n.nspname) else '' end
from pg_namespace n where {_OURS} and {_NOT_OF_EXTENSION.format("n")}
union all
select n.nspname, 'type', t.typname, case when t.typtype = 'e' {_PLAIN.format("t", "typ")}
       then 'create type ' || quote_ident(n.nspname) || '.' || quote_ident(t.typname) || ' as enum ('
            || coalesce((select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
                         from pg_enum e where e.enumtypid = t.oid), '') || ')' else '' end
from pg_type t join pg_namespace n on n.oid = t.typnamespace
where {_OURS} and t.typtype in ('e', 'd', 'r') and {_NOT_OF_EXTENSION.format("t")}
union all
select n.nspname, 'function', p.oid::regprocedure::text, case when true {_PLAIN.format("p", "pro")}
       then pg_get_functiondef(p.oid) else '' end
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where {_OURS} and p.prokind in ('f', 'p') and {_NOT_OF_EXTENSION.format("p")}
union all
select n.nspname, 'view', c.relname, case when c.relkind = 'v' and c.reloptions is null {_PLAIN.format("c", "rel")}
       then 'create view ' || {_NAME} || ' as ' || pg_get_viewdef(c.oid) else '' end
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where {_OURS} and c.relkind = 'v' and {_NOT_OF_EXTENSION.format("c")}
union all
select n.nspname, 'sequence', c.relname, case when true {_PLAIN.format("c", "rel")}
       then 'create sequence ' || {_NAME} || ' as ' || format_type(s.seqtypid, null) || {_SEQUENCE} else '' end
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_sequence s on s.seqrelid = c.oid
where {_OURS} and {_NOT_OF_EXTENSION.format("c")} and not exists (
  select from pg_depend d where d.objid = c.oid and d.deptype in ('a', 'i') and d.classid = 'pg_class'::regclass)
union all
select n.nspname, case c.relkind when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end,
       c.relname, ''
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where {_OURS} and c.relkind in ('m', 'f', 'p') and {_NOT_OF_EXTENSION.format("c")}
union all
select '', 'extension', x.extname, 'create extension ' || quote_ident(x.extname) || ' schema ' || quote_ident(n.nspname)
       || ' version ' || quote_literal(x.extversion)
from pg_extension x join pg_namespace n on n.oid = x.extnamespace"""


@dataclass(frozen=True, slots=True)
class Definition:
    """How a table is defined; see `kit.diagnosing.outside.contents.Table`."""

    parts: tuple[str, ...]
    made: tuple[str, ...]
    columns: tuple[str, ...]
    numbers: tuple[str, ...]


def definitions(client: Client) -> dict[str, Definition]:
    """Return how each table is defined, by its shown name."""
    columns, constraints, numbers = (_by_table(client, query) for query in (_COLUMNS, _CONSTRAINTS, _NUMBERS))
    found = {}
    for schema, table, unlogged, is_plain in client.ask(_TABLES):
        key, name = (schema, table), sql(shown(schema, table))
        parts = (*(column[1] for column in columns[key]), *(one[0] for one in constraints[key]))
        inner = ", ".join(column[1].replace(" as identity", f" as identity{column[3]}") if column[3] else column[1]
                          for column in columns[key])  # fmt: skip
        owned = [one for one in numbers[key] if one[3] == "a"]
        made = (
            *(f"create sequence {sql(shown(one[0], one[1]))} as {one[4]}" for one in owned),
            f"create {unlogged}table {name} ({inner})",
            *(f"alter sequence {sql(shown(one[0], one[1]))} owned by {name}.{one[2]}" for one in owned),
            *(f"alter table {name} add {one[0]}" for one in constraints[key]),
        )
        found[shown(schema, table)] = Definition(
            parts, made if is_plain == "true" else (),
            tuple(column[0] for column in columns[key] if not column[2]),
            tuple(shown(one[0], one[1]) for one in numbers[key]),
        )
    return found


def objects(client: Client) -> dict[str, Object]:
    """Return all that is neither a table nor a sequence of one, by its shown name."""
    found = {}
    for schema, kind, name, made in client.ask(_OTHERS):
        named = schema if kind == "schema" else name if kind in ("function", "extension") else shown(schema, name)
        found[named] = Object(kind, (made,) if made else ())
    for kind, schema, name, of_schema, table, made in client.ask(_OF_TABLES):
        found[shown(schema, name)] = Object(kind, (made,), shown(of_schema, table))
    return found


def shown(schema: str, name: str) -> str:
    """A name as it is shown: with its schema, unless that is `public`."""
    return name if schema == "public" and "." not in name else f"{schema}.{name}"


def sql(name: str) -> str:
    """The SQL form of a shown name."""
    schema, dot, inner = name.partition(".")
    return f"{quoted(schema)}.{quoted(inner)}" if dot else f"public.{quoted(name)}"


def quoted(name: str) -> str:
    """An identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def _by_table(client: Client, query: str) -> Mapping[tuple[str, str], list[tuple[str, ...]]]:
    found: dict[tuple[str, str], list[tuple[str, ...]]] = defaultdict(list)
    for schema, table, *rest in client.ask(query):
        found[schema, table].append(tuple(rest))
    return found
