from __future__ import annotations

import pytest

from kit.probes.maintenance import may_name, named_in


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DROP DATABASE prod", [("DROP DATABASE", "prod")]),
        ('drop database if exists "Prod"', [("DROP DATABASE", "Prod")]),
        ("Drop Database PROD with (force)", [("DROP DATABASE", "prod")]),
        ('drop database "a ""b"" c";', [("DROP DATABASE", 'a "b" c')]),
        ("/* drop */ drop -- it\n /* a /* nested */ one */ database prod", [("DROP DATABASE", "prod")]),
        ("select 1; drop database prod; select 2", [("DROP DATABASE", "prod")]),
        ("create database if not exists prod", [("CREATE DATABASE", "prod")]),
        (
            "create database t with owner = me template = prod",
            [("CREATE DATABASE", "t"), ("CREATE DATABASE ... TEMPLATE", "prod")],
        ),
        ('create database t template "Prod"', [("CREATE DATABASE", "t"), ("CREATE DATABASE ... TEMPLATE", "Prod")]),
        ("create database t template template0", [("CREATE DATABASE", "t")]),
        ("alter database prod set work_mem = '1MB'", [("ALTER DATABASE", "prod")]),
        (
            "alter database prod rename to gone",
            [("ALTER DATABASE", "prod"), ("ALTER DATABASE ... RENAME TO", "gone")],
        ),
        ('drop database "a """', [("DROP DATABASE", 'a "')]),
        ("drop database template", [("DROP DATABASE", "template")]),
        ("select 'drop database prod'", []),
        ("select E'\\'; drop database prod'", []),
        ("select $x$; drop database prod; $x$", []),
        ("select $1; drop database prod", [("DROP DATABASE", "prod")]),
        ('select "; drop database prod"', []),
        ("insert into database values (1)", []),
        ("drop table database", []),
        ("drop schema public cascade", []),
        ("drop database", []),
        ("select 1", []),
        ("drop database prod -- unfinished /*", [("DROP DATABASE", "prod")]),
    ],
)
def test_databases_that_a_statement_speaks_of(statement: str, named: list[tuple[str, str]]) -> None:
    """What a text makes, changes, copies or drops is found as the server reads it, in any letters and after others."""
    assert list(named_in(statement)) == named
    assert list(named_in(statement.encode())) == named


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("drop schema `prod`", [("DROP SCHEMA", "prod")]),
        ("use prod", [("USE", "prod")]),
        ("select 1; USE `Prod`", [("USE", "Prod")]),
        ("select use from t", []),
        ("/*!50001 drop database prod */; /* drop database x */", [("DROP DATABASE", "prod")]),
    ],
)
def test_databases_of_mysql(statement: str, named: list[tuple[str, str]]) -> None:
    """MySQL calls a database a schema, too, and a connection goes over to another one."""
    assert list(named_in(statement, "mysql")) == named


def test_a_long_text_is_passed_by_at_a_glance() -> None:
    """A statement of megabytes whose values speak of databases, as documents do, is not read word by word."""
    values = "('of the database, how it was made and dropped, and its use'), " * 50_000
    assert not may_name(f"insert into texts values {values}")
    assert not may_name(f"insert into texts values {values}".encode())
