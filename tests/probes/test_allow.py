"""An allow-list lets through what its entries name, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.probes.allow import AllowList, entry_for_file, entry_for_server, place_of, sqlite_file

IDENTITY = {"system_identifier": "7429385720384756123", "cluster_name": "15/main", "database": "testdb"}


@pytest.mark.parametrize(
    ("entry", "path", "allowed"),
    [
        ("test.db", "/srv/app/test.db", True),
        ("test.db", "/srv/app/data/test.db", False),
        ("test.db", "/srv/app/prod.db", False),
        ("./data/*.db", "/srv/app/data/a.db", True),
        ("*/test.db", "/srv/app/a/b/test.db", True),
        ("*/test.db", "/srv/other/test.db", False),
        ("/tmp/pytest-*", "/tmp/pytest-of-me/pytest-0/x.db", True),
        ("/data/[old]/test.db", "/data/[old]/test.db", True),
        ("sqlite:///./test.db", "/srv/app/test.db", True),
        ("sqlite+aiosqlite:////tmp/test.db", "/tmp/test.db", True),
        ("sqlite://", "/srv/app/prod.db", False),
        (":memory:", "/srv/app/:memory:", False),
        ("127.0.0.1:5432/testdb", "/srv/app/127.0.0.1:5432/testdb", False),
    ],
)
def test_files(entry: str, path: str, allowed: bool) -> None:
    """A file is let through where a path, a URL or a wildcard names it, read from the list's folder."""
    assert AllowList([entry], "/srv/app").allows_file(path) is allowed


def test_a_folder_with_wildcards_in_its_name_is_taken_as_it_is(tmp_path: Path) -> None:
    """What looks like a wildcard in the list's own folder is none."""
    folder = tmp_path / "test[x]"
    assert AllowList(["a.db"], str(folder)).allows_file(f"{folder}/a.db")
    assert not AllowList(["a.db"], str(folder)).allows_file(f"{tmp_path}/testx/a.db")


def test_a_link_leads_to_the_file_behind_it(tmp_path: Path) -> None:
    """An entry that is a link to a folder names the files in that folder, as sqlite3 says where they are."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert AllowList(["link/test.db"], str(tmp_path)).allows_file(str(tmp_path / "real" / "test.db"))


def test_memory_needs_no_entry() -> None:
    """A database in memory is nobody else's."""
    assert AllowList([], "/").allows_file(None)


@pytest.mark.parametrize(
    ("entry", "configured", "observed", "allowed"),
    [
        ("127.0.0.1:5433/testdb", "postgresql://me@127.0.0.1:5433/testdb", None, True),
        ("127.0.0.1:5433/testdb", "postgresql://me@127.0.0.1:5432/testdb", None, False),
        ("127.0.0.1:5433/testdb", "postgresql://me@localhost:5433/testdb", None, False),
        ("127.0.0.1:5433/testdb", "postgresql://me@127.0.0.1:5433/testdb", IDENTITY, True),
        ("127.0.0.1:5433/alias", "postgresql://me@127.0.0.1:5433/alias", IDENTITY, False),
        ("*:*/test_*", "postgresql://me@db.internal:6432/test_12", None, True),
        ("*:*/test_*", "postgresql://me@db.internal:6432/production", None, False),
        ("[::1]:5432/t", "postgresql://me@::1:5432/t", None, True),
        ("[/run/postgresql]:5432/t", "postgresql://me@/run/postgresql/.s.PGSQL.5432:/t", None, True),
        ("postgresql+asyncpg://a:secret@db/app_test", "postgresql://me@db:5432/app_test", None, True),
        ("mysql://db/app_test", "mysql+pymysql://me:***@db:3306/app_test?charset=utf8", None, True),
        ("server:7429385720384756123/testdb", "postgresql://me@any:1/alias", IDENTITY, True),
        ("server:7429385720384756123", "postgresql://me@any:1/alias", IDENTITY, True),
        ("7429385720384756123/testdb", "postgresql://me@any:1/alias", IDENTITY, True),
        ("server:7429385720384756123@15/main/testdb", "postgresql://me@any:1/alias", IDENTITY, True),
        ("server:7429385720384756123@14/main/testdb", "postgresql://me@any:1/alias", IDENTITY, False),
        ("server:7429385720384756123/other", "postgresql://me@any:1/alias", IDENTITY, False),
        ("server:7429385720384756124/testdb", "postgresql://me@any:1/alias", IDENTITY, False),
        ("server:7429385720384756123/testdb", "postgresql://me@any:1/testdb", None, False),
        ("testdb", "postgresql://me@127.0.0.1:5433/testdb", None, False),
    ],
)
def test_servers(entry: str, configured: str, observed: dict[str, str | None] | None, allowed: bool) -> None:
    """A server's database is let through by its place where its own word agrees, or by its own word alone."""
    assert AllowList([entry], "/srv/app").allows_server(configured, observed) is allowed


@pytest.mark.parametrize("observed", [None, IDENTITY, {**IDENTITY, "database": "other"}])
def test_the_entry_that_is_offered_lets_through(observed: dict[str, str | None] | None) -> None:
    """The entry that a refusal offers allows just what was refused."""
    configured = "postgresql://me@127.0.0.1:5433/testdb"
    entry = entry_for_server(configured, observed)
    assert AllowList([entry], "/").allows_server(configured, observed)
    assert not AllowList([entry], "/").allows_server("postgresql://me@127.0.0.1:5433/prod", {"database": "prod"})


@pytest.mark.parametrize("path", ["/srv/app/data/test.db", "/elsewhere/test.db"])
def test_the_file_entry_that_is_offered_lets_through(path: str) -> None:
    """The entry that the refusal of a file offers allows that file and not its neighbour."""
    allow = AllowList([entry_for_file(path, "/srv/app")], "/srv/app")
    assert allow.allows_file(path)
    assert not allow.allows_file(path.replace("test.db", "prod.db"))


@pytest.mark.parametrize(
    ("database", "uri", "name"),
    [
        ("a.db", False, "a.db"),
        (b"a.db", False, "a.db"),
        (Path("a.db"), False, "a.db"),
        ("file:a.db?mode=ro", True, "a.db"),
        ("file:a%20b.db", True, "a b.db"),
        ("file:a.db?mode=memory&cache=shared", True, None),
        ("file:a.db?mode=memory", False, "file:a.db?mode=memory"),
        ("file::memory:?cache=shared", True, None),
        (":memory:", False, None),
        ("", False, None),
    ],
)
def test_what_sqlite3_would_open(
    database: object, uri: bool, name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that a call of sqlite3's would open is known before it is opened."""
    monkeypatch.chdir(tmp_path)
    assert sqlite_file(database, uri) == (None if name is None else str(tmp_path / name))


def test_an_absolute_uri() -> None:
    """A URI with an authority names an absolute path."""
    assert sqlite_file("file:///no/such/a.db", True) == "/no/such/a.db"
    assert sqlite_file("file://localhost/no/such/a.db", True) == "/no/such/a.db"


def test_no_password_in_the_entries() -> None:
    """A password in an entry is not kept: entries are shown."""
    allow = AllowList(["postgresql://me:secret@db.internal/app"], "/")
    assert allow.allows_server("postgresql://me@db.internal:5432/app", None)
    assert "secret" not in repr(vars(allow))


def test_no_password_in_a_place() -> None:
    """The place that is read out of a URL holds neither user nor password."""
    assert str(place_of("postgresql://me:secret@db.internal/app")) == "db.internal:5432/app"


def test_a_leading_folder_of_any_name_may_be_the_lists_own(tmp_path: Path) -> None:
    """`*/tests/*.db` is in whichever folder of the project, and in none outside it."""
    allowed = AllowList(["*/tests/*.db"], str(tmp_path))
    assert allowed.allows_file(str(tmp_path / "tests" / "a.db"))
    assert allowed.allows_file(str(tmp_path / "backend" / "tests" / "a.db"))
    assert not allowed.allows_file("/elsewhere/tests/a.db")
