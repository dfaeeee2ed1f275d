"""The SQL that containers run, run as they run it, gives what the embedded pair has."""

from __future__ import annotations

import secrets

import pytest
import yaml

from kit.pair import Pair, SideName
from kit.pair.compose import FILE
from kit.pair.connect import connect, identify
from kit.pair.model import SIDES

CONTENT = """
select (select md5(string_agg(sites::text, ',' order by id)) from sites), (select count(*) from sites),
       (select string_agg(concat_ws(' ', attname, atttypid::regtype, attnotnull, pg_get_expr(adbin, adrelid)), ','
                          order by attnum)
        from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attrelid = 'sites'::regclass and attnum > 0),
       (select string_agg(pg_get_constraintdef(oid), ',' order by conname)
        from pg_constraint where conrelid = 'sites'::regclass),
       (select last_value from sites_id_seq)
"""
OWNERS = """
select relname, pg_get_userbyid(relowner) from pg_class where relnamespace = 'public'::regnamespace order by relname
"""


@pytest.mark.parametrize("name", SIDES)
def test_the_mounted_sql_makes_the_embedded_content(pair: Pair, name: SideName) -> None:
    """Each mounted file, in order, in a session with the file's settings, makes the same table, rows and owner."""
    side = {"production": pair.production, "test": pair.test}[name]
    service = yaml.safe_load(FILE.read_text())["services"][name]
    files = [volume.split(":")[0] for volume in service["volumes"] if "docker-entrypoint-initdb.d" in volume]
    role, password = f"role_{secrets.token_hex(4)}", secrets.token_hex(8)
    options = service["environment"]["PGOPTIONS"].split("-ckit.password=")[0].replace(side.user, role)
    database, admin = f"copy_{secrets.token_hex(4)}", side.admin or ""
    with connect(admin) as connection:
        connection.execute(f"create database {database}".encode())
    try:
        inside = admin.removesuffix("/postgres") + f"/{database}"
        with connect(inside, options=f"{options} -ckit.password={password}") as connection:
            for path in files:
                connection.execute((FILE.parent / path).read_bytes())
            owners = connection.execute(OWNERS).fetchall()
        as_role = inside.replace(admin.split("@")[0], f"postgresql://{role}:{password}")
        assert identify(as_role).user == role
        with connect(as_role) as there, connect(side.url()) as here:
            assert there.execute(CONTENT).fetchall() == here.execute(CONTENT).fetchall()
            assert {owner for _, owner in owners} == {role}
            assert {owner for _, owner in here.execute(OWNERS)} == {side.user}
            there.execute("create table more (id int)")  # the database is the role's own
    finally:
        with connect(admin) as connection:
            connection.execute(f"drop database {database} with (force)".encode())
            connection.execute(f"drop role {role}".encode())


@pytest.mark.parametrize("name", SIDES)
def test_no_password_is_logged_by_the_mounted_sql(pair: Pair, name: SideName) -> None:
    """The SQL files name settings and not passwords, so that a log of every statement has none."""
    service = yaml.safe_load(FILE.read_text())["services"][name]
    files = [volume.split(":")[0] for volume in service["volumes"] if "docker-entrypoint-initdb.d" in volume]
    for path in files:
        assert "password '" not in (FILE.parent / path).read_text().lower()
