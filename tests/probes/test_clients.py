"""Where programs that connect by themselves are led by their words and variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.probes.clients import Destination, destinations_of

HOST, PORT = {"PGHOST": "db"}, {"PGPORT": "5433"}
READ = [
    ("psql -h db -p 5433 shop", {}, "postgresql://db:5433/shop"),
    ("psql -hdb -p5433 -d shop -c 'select 1'", {}, "postgresql://db:5433/shop"),
    ("psql --host=db --port 5433 --dbname shop", {}, "postgresql://db:5433/shop"),
    ("psql --hos db --dbn=shop", {}, "postgresql://db:5432/shop"),
    ("./psql -h db shop", {}, "postgresql://db:5432/shop"),
    ("psql -Atqh db shop me", {}, "postgresql://db:5432/shop"),
    ("psql shop", HOST, "postgresql://db:5432/shop"),
    ("psql", {**HOST, **PORT, "PGDATABASE": "shop"}, "postgresql://db:5433/shop"),
    ("psql", {**HOST, "PGUSER": "me"}, "postgresql://db:5432/me"),
    ("psql -h db shop", {"PGHOSTADDR": "10.0.0.1"}, "postgresql://10.0.0.1:5432/shop"),
    ("psql -U me shop", {}, "postgresql://:5432/shop"),
    ("psql -h /run/pg shop", {}, "postgresql:///run/pg:5432/shop"),
    ("psql postgresql://me:x@db:5433/shop?sslmode=disable", {}, "postgresql://db:5433/shop"),
    ("psql postgres://me@db/shop?hostaddr=10.0.0.1", {}, "postgresql://10.0.0.1:5432/shop"),
    ("psql -h other 'host=db dbname=shop password=x'", {}, "postgresql://db:5432/shop"),
    ("psql -d 'dbname = shop hostaddr = ::1'", {}, "postgresql://[::1]:5432/shop"),
    ("psql postgresql://a:1,b:2/shop", {}, "postgresql://a:1/shop postgresql://b:2/shop"),
    ("psql service=mine", {"PGSERVICEFILE": "services"}, "postgresql://served:5434/shop"),
    ("psql", {"PGSERVICE": "mine", "PGSERVICEFILE": "services", **HOST}, "postgresql://served:5434/shop"),
    ("psql -h db shop -f schema.sql", {}, "postgresql://db:5432/shop"),
    ("pg_dump -Fc -h db -t names -f out shop", {}, "postgresql://db:5432/shop"),
    ("pg_restore -h db -d shop -j 4 dump", {}, "postgresql://db:5432/shop"),
    ("pg_restore -C -h db -d postgres dump", {}, "postgresql://db:5432/*"),
    ("createdb -h db -T template0 shop", {}, "postgresql://db:5432/shop"),
    ("dropdb --if-exists --maintenance-db=other shop", HOST, "postgresql://db:5432/shop"),
    ("pg_basebackup -h db -D copy", {}, "postgresql://db:5432/*"),
    ("pg_dumpall -h db", {}, "postgresql://db:5432/*"),
    ("vacuumdb -h db --all", {}, "postgresql://db:5432/*"),
    ("mysql -h db -P 3307 -psecret shop", {}, "mysql://db:3307/shop"),
    ("mysql --host=db --database=shop", {}, "mysql://db:3306/shop"),
    ("mysql shop", {"MYSQL_HOST": "db", "MYSQL_TCP_PORT": "3307"}, "mysql://db:3307/shop"),
    ("mysql --defaults-file=my.cnf shop", {}, "mysql://saved:3308/shop"),
    ("mysqldump -h db shop names", {}, "mysql://db:3306/shop"),
    ("mysqldump -h db --databases shop crm", {}, "mysql://db:3306/shop mysql://db:3306/crm"),
    ("mysqldump -h db --all-databases", {}, "mysql://db:3306/*"),
    ("mysqladmin -h db drop shop", {}, "mysql://db:3306/shop"),
    ("sqlite3 prod.db 'select 1'", {}, "prod.db"),
    ("sqlite3 -batch -cmd '.open other.db' file:prod.db?mode=ro", {}, "other.db prod.db"),
    ("sqlite3 prod.db \"attach 'other.db' as o\"", {}, "other.db prod.db"),
    ("duckdb -c \"attach 'other.duckdb'\"", {}, "other.duckdb"),
    ("sqlite3 prod.db '.read attach.sql'", {}, "other.db prod.db"),
    ("sqlite3 -init attach.sql prod.db", {}, "other.db prod.db"),
    ("psql -h db shop -f again.sql -c '\\! ls'", {}, "postgresql://db:5432/shop"),
    ("psql -h db shop -c 'drop database prod'", {}, "postgresql://db:5432/shop postgresql://db:5432/prod"),
    ("psql -h db shop -f drop.sql", {}, "postgresql://db:5432/shop postgresql://db:5432/prod"),
    ("psql -h db shop -f drop_any.sql -v name=prod", {}, "postgresql://db:5432/shop postgresql://db:5432/prod"),
    ("psql -h db shop -f set.sql", {}, "postgresql://db:5432/shop postgresql://db:5432/prod"),
    ("psql -h db shop -f gexec.sql", {}, "postgresql://db:5432/shop postgresql://db:5432/prod"),
    ("psql -h db shop -c \"select 'drop database prod'\"", {}, "postgresql://db:5432/shop"),
    ("psql -h db shop -c 'drop schema prod cascade; select 1::int'", {}, "postgresql://db:5432/shop"),
    ("createdb -h db -T prod shop", {}, "postgresql://db:5432/shop postgresql://db:5432/prod"),
    ("mysql -h db shop -e 'drop schema prod'", {}, "mysql://db:3306/shop mysql://db:3306/prod"),
    ("mysql -h db shop --execute='use prod; delete from names'", {}, "mysql://db:3306/shop mysql://db:3306/prod"),
]
THROUGH = [
    ("sh -c 'psql -h db shop'", {}, "postgresql://db:5432/shop"),
    ("bash -euo pipefail -c 'cat x | psql -h db shop 2>&1 >/dev/null || true'", {}, "postgresql://db:5432/shop"),
    ("sh -c 'export PGHOST=db; psql ${NAME:-shop}'", {}, "postgresql://db:5432/shop"),
    ("sh -c 'PGHOST=db PGDATABASE=$NAME psql'", {"NAME": "shop"}, "postgresql://db:5432/shop"),
    ("sh -c 'eval \"$DO\"'", {"DO": "PGHOST=db psql shop"}, "postgresql://db:5432/shop"),
    ("sh -c 'eval psql -h db shop'", {}, "postgresql://db:5432/shop"),
    ("sh -c 'n=$(psql -h db shop -c \"select 1\")'", {}, "postgresql://db:5432/shop"),
    ("env -i PGHOST=db psql shop", HOST, "postgresql://db:5432/shop"),
    ("sudo -u postgres -- nice -n 5 timeout 10 psql -h db shop", {}, "postgresql://db:5432/shop"),
    ("find . -name x -exec psql -h db shop ';'", {}, "postgresql://db:5432/shop"),
    ("uv run psql -h db shop", {}, "postgresql://db:5432/shop"),
    ("sh -c 'unset PGPORT; psql -h db shop'", PORT, "postgresql://db:5432/shop"),
    ("su postgres -c 'psql -h db shop'", {}, "postgresql://db:5432/shop"),
    ("sh reset.sh", {"NAME": "shop"}, "postgresql://db:5432/shop"),
    ("./reset.sh", {"NAME": "shop"}, "postgresql://db:5432/shop"),
    ("sh -c 'cd .. && ./{folder}/reset.sh'", {"NAME": "shop"}, "postgresql://db:5432/shop"),
    ("sh -c 'cd /srv; sqlite3 prod.db'", {}, "/srv/prod.db"),
    ("sh -c '. ./env.sh; psql'", {}, "postgresql://db:5432/shop"),
    ("bash -c 'source $FILE && psql'", {"FILE": "env.sh"}, "postgresql://db:5432/shop"),
    ("sh -c '. ~/env.sh && psql'", {}, "postgresql://db:5432/shop"),
    ("sh -c '. ./missing.sh; psql -h db shop'", {}, "postgresql://db:5432/shop"),
    ("sh -c 'psql -h db shop; . $FILE'", {}, "postgresql://db:5432/shop"),
]
NOTHING = [
    "psql --version", "pg_dump -V", "psql --help", "pg_restore dump", "pg_isready -h db", "pg_ctl start -D data",
    "initdb -D data", "postgres -D data", "mysql --version", "mysqladmin -h db ping", "sqlite3 -version",
    "sqlite3 :memory: 'select 1'", "sqlite3", "echo psql -h db", "sh -c 'echo \"psql -h db\"'", "which psql",
    "docker run --name psql -d postgres:16", "docker run -d mysql", "docker exec mysql ls", "sudo -u mysql ls",
    "docker compose up -d mysql", "git commit -m 'psql -h db'", "sh -c 'command -v psql'", "sh -c '# psql -h db'",
    "python -m pytest psql", "flyway --version", "dbmate help", "sh", "sh -c ''", "sh -c '. $FILE; ls'",
]  # fmt: skip
UNREADABLE = [
    ("psql -h $(host) shop", "a value that is known only when it runs"),
    ("sh -c 'psql $1'", "/$1 stands for a value"),
    ("xargs psql -h db", "/$ stands for a value"),
    ("psql -h db shop -c '\\c prod'", "its command (-c) switches to another database"),
    ("psql -h db shop -f by/other.sql", "all.sql switches to another database"),
    ("psql -h db shop -f first.sql", "all.sql switches to another database"),
    ("psql -h db shop -c '\\i first.sql'", "all.sql switches to another database"),
    ("psql -h db shop -c '\\! psql prod'", "its command (-c) starts another client"),
    ("psql -h db shop -f all.sql", "all.sql switches to another database"),
    ("psql -h db shop -f drop_any.sql", "a database whose name is known only when it runs"),
    ("psql -h db shop -f gexec_any.sql", "a database whose name is known only when it runs"),
    ("psql service=nobodys", "defines its service"),
    ("docker exec -i db psql -U me shop", "docker starts it in a container"),
    ("docker compose -f x.yml exec -T db sh -c 'psql shop'", "docker starts it in a container"),
    ("kubectl -n prod exec pod-0 -- psql shop", "kubectl starts it"),
    ("ssh -p 22 host psql shop", "ssh starts it"),
    ("sh -c 'psql \"shop'", "cannot be parsed"),
    ("sh -c '. $FILE; psql shop'", "comes after a file that the shell reads"),
    ("bash -c 'source `which env.sh` && psql shop'", "comes after a file that the shell reads"),
    ("sh -c '. ~me/env.sh; psql shop'", "comes after a file that the shell reads"),
    ("sh -c '. ./binary.sh; psql shop'", "comes after a file that the shell reads"),
    ("sqlcmd -S db -d shop", "does not parse its options"),
    ("dbmate --url postgres://db/shop up", "does not parse its options"),
    ("mysql --login-path=prod", "an encrypted file"),
    ("sqlite3 :memory: 'attach (select x) as y'", "not a file with a literal name"),
]
FILES = {
    "drop.sql": "select 1;\nDROP DATABASE IF EXISTS prod WITH (FORCE);\n", "drop_any.sql": "drop database :\"name\";\n",
    "set.sql": "\\set name 'prod'\ndrop database :name;\n",
    "gexec.sql": "select 'create database prod' where not exists (select 1)\\gexec\n",
    "gexec_any.sql": "select 'drop database ' || datname from pg_database \\gexec\n",
    "services": "[mine]\nhost=served\nport=5434\ndbname=shop\n", "schema.sql": "create table t (\n\\\\copy x\n);\n",
    "first.sql": "\\i all.sql\n", "by/other.sql": "\\ir ../first.sql\n", "again.sql": "\\i again.sql\n",
    "attach.sql": "attach 'other.db' as o;\n",
    "all.sql": "select 1;\n\\connect prod\n", "my.cnf": "[client]\nhost = saved\nport=3308\n",
    "env.sh": "export PGHOST=db PGDATABASE=shop\n", "binary.sh": "export PGHOST=db\0\n",
    "reset.sh": "#!/bin/sh\n# psql -h never\nexport PGHOST=db\npsql \"$NAME\" <<EOF\nit's a text; psql never\nEOF\n",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "reset.sh").chmod(0o755)
    return tmp_path


def asked(command: str, environ: dict[str, str], folder: Path) -> list[Destination]:
    import shlex

    own = {name: str(folder / value) if value in FILES else value for name, value in environ.items()}
    words = shlex.split(command.replace("{folder}", folder.name).replace("my.cnf", str(folder / "my.cnf")))
    return list(destinations_of(words, {"HOME": str(folder), "USER": "root", **own}, str(folder), lambda name, _: True))


@pytest.mark.parametrize(("command", "environ", "places"), READ + THROUGH)
def test_a_client_is_read_as_it_reads_itself(
    folder: Path, command: str, environ: dict[str, str], places: str
) -> None:
    """Words, connection strings, services, files of options and variables go before each other as in the client."""
    found = asked(command, environ, folder)
    assert [one.why_not for one in found] == [""] * len(found)
    named = sorted((one.url or str(one.file)).removeprefix(f"{folder}/") for one in found)
    assert named == sorted(places.split())


@pytest.mark.parametrize("command", NOTHING)
def test_what_connects_to_nothing_is_let_through(folder: Path, command: str) -> None:
    """A client that only tells of itself, a server's own program, a mention of its name: none connects."""
    assert [one for one in asked(command, {}, folder) if one.file != ""] == []


@pytest.mark.parametrize(("command", "why"), UNREADABLE)
def test_what_cannot_be_read_is_said_so(folder: Path, command: str, why: str) -> None:
    """Where a client would connect to is not guessed."""
    assert [why in one.why_not for one in asked(command, {}, folder) if one.why_not] == [True]


def test_a_file_of_options_counts_unless_it_is_left_out(folder: Path) -> None:
    """mysql reads the user's options first, which name another server; with --no-defaults it reads none."""
    (folder / ".my.cnf").write_text("[client]\nhost = saved\n")
    for options, host in (("", "saved"), ("--no-defaults", "localhost")):
        (found,) = asked(f"mysql {options} -P 3307 --protocol=tcp -- shop", {}, folder)
        assert (found.url, found.why_not) == (f"mysql://{host}:3307/shop", "")


def test_a_client_that_is_not_there_is_none(folder: Path) -> None:
    """A program that cannot be found is left to the system to refuse."""
    assert list(destinations_of(["psql", "-h", "db"], {}, str(folder), lambda name, environ: False)) == []
