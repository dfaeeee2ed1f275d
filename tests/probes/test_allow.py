"""An allow-list lets through what its entries name, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.probes.allow import AllowList, MalformedEntry, Place, entry_for_file, entry_for_server, place_of, sqlite_file
from kit.probes.peers import Peer
from tests.allowed import FILES, MALFORMED, SERVER, SERVERS


@pytest.mark.parametrize(("entry", "path", "allowed"), FILES)
def test_files(entry: str, path: str, allowed: bool) -> None:
    """A file is let through where a path, a URL, a name or a wildcard names it, read from the list's folder."""
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


@pytest.mark.parametrize(("entry", "configured", "observed", "peer", "allowed"), SERVERS)
def test_servers(
    entry: str, configured: str, observed: dict[str, str | None] | None, peer: Peer | None, allowed: bool
) -> None:
    """A server's database is let through by its place where its own word agrees, or by its own word alone."""
    assert AllowList([entry], "/srv/app").allows_server(configured, observed, peer) is allowed


@pytest.mark.parametrize(("entry", "said"), MALFORMED)
def test_an_entry_that_cannot_be_meant_is_refused(entry: str, said: str) -> None:
    """What was found, wanted and to do is said of a malformed entry, without what may be a password."""
    with pytest.raises(MalformedEntry) as refused:
        AllowList(["test.db", entry], "/srv/app")
    assert said in refused.value.found
    assert refused.value.wanted
    assert "SECRET" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("entry", [*(row[0] for row in FILES), *(row[0] for row in SERVERS)])
def test_an_entry_that_is_handed_on_says_the_same(entry: str) -> None:
    """The text of an entry that other processes are given is read there as the same rule."""
    once = AllowList([entry], "/srv/app")
    assert AllowList(once.entries, "/srv/app").rules == once.rules


@pytest.mark.parametrize(
    ("entry", "lets_through"),
    [
        ("*", "every server and every file in /srv/app"), ("*:*/*", "every server"), ("server:*", "every server"),
        ("*/*", "every server and every file in /srv/app"), ("/*", "every file"), ("./*", "every file in /srv/app"),
        ("[!a]*", "every server and every file in /srv/app"),
        ("localhost:*/*", None), ("*:*/t*", None), ("test.db", None), ("data/*", None), ("sqlite://", None),
    ],
)  # fmt: skip
def test_what_nothing_is_stopped_by_is_known(entry: str, lets_through: str | None) -> None:
    """An entry that lets all servers or all files through is known, however it is written."""
    assert dict(AllowList([entry], "/srv/app").unrestricted_entries()).get(entry) == lets_through


def test_entries_that_matched_nothing_are_known() -> None:
    """Of a list, what let nothing through is named; what is in memory needs no entry and is not."""
    allow = AllowList(["*.db", "test.db", "other.db", "localhost:1/a", ":memory:", "sqlite://"], "/srv/app")
    assert allow.idle(allow.for_file("/srv/app/test.db")) == ("other.db", "localhost:1/a")


@pytest.mark.parametrize("observed", [None, SERVER, {**SERVER, "database": "other"}, {"database": "a, [b]"}])
def test_the_entry_that_is_offered_lets_through(observed: dict[str, str | None] | None) -> None:
    """The entry that a refusal offers allows just what was refused."""
    configured = "postgresql://me@127.0.0.1:5433/testdb"
    entry = entry_for_server(configured, observed)
    assert AllowList([entry], "/").allows_server(configured, observed)
    assert not AllowList([entry], "/").allows_server("postgresql://me@127.0.0.1:5433/prod", {"database": "prod"})


@pytest.mark.parametrize(
    "path",
    [
        "/srv/app/data/test.db", "/elsewhere/test.db", "/srv/app/test.db_", "/srv/app/a/test.db*", "/srv/app/test.db,",
        "/srv/app/[test.db", "/srv/app/a #test.db", "/srv/app/'test.db'", "/srv/app/test.db ", "/srv/app/x:1/test.db",
        "/srv/app/12345678901234567test.db", "/srv/app/~test.db", "/srv/app/server:1/test.db\n", "/srv/app/a/test.dbx",
        "/srv/app/$x/test.db", "/srv/app/{{ x }}/%(y)s/test.db", "/srv/app/a\u200btest.db", "/srv/app/['test.db']",
    ],
)  # fmt: skip
def test_the_file_entry_that_is_offered_lets_through(path: str) -> None:
    """The entry that the refusal of a file offers allows that file and not its neighbour."""
    allow = AllowList([entry_for_file(path, "/srv/app")], "/srv/app")
    assert allow.allows_file(path)
    assert not allow.allows_file(path.replace("test.db", "prod.db"))
    assert not allow.allows_server("postgresql://me@localhost:5432/test.db", None)


@pytest.mark.parametrize(
    "configured",
    [
        "postgresql://me@[::1]:5433/testdb", "postgresql://me@/run/postgresql:5433/testdb", "oracle://db/testdb",
        "firebird://db/testdb", "mssql://db:1433/", "mysql://:3306/testdb", "postgresql://me@h:1/test*",
        "postgresql://me@db:5433/testdb?hostaddr=10.0.0.9",
    ],
)  # fmt: skip
def test_an_entry_is_offered_for_every_kind_of_place(configured: str) -> None:
    """The entry that a refusal offers is never malformed, and allows what was refused."""
    assert AllowList([entry_for_server(configured, None)], "/").allows_server(configured, None)


def test_a_long_list_is_judged_once_for_each_file() -> None:
    """Ten thousand judgements of one file ask the patterns once: a judgement does not read the list anew."""
    allow = AllowList([f"data/{number}/*.db" for number in range(50)], "/srv/app")
    first = allow.for_file("/srv/app/data/7/x.db")
    assert all(allow.for_file("/srv/app/data/7/x.db") is first for _ in range(10_000))


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


@pytest.mark.parametrize("url", ["postgresql://me:secret@db:6543", "postgresql://me:secret@db:6543/"])
def test_a_server_without_a_database_is_its_host_and_port(url: str) -> None:
    """With or without a slash at its end, what stands after the user is the server."""
    assert place_of(url) == Place("db", "6543", "")


def test_a_leading_folder_of_any_name_may_be_the_lists_own(tmp_path: Path) -> None:
    """`*/tests/*.db` is in whichever folder of the project, and in none outside it."""
    allowed = AllowList(["*/tests/*.db"], str(tmp_path))
    assert allowed.allows_file(str(tmp_path / "tests" / "a.db"))
    assert allowed.allows_file(str(tmp_path / "backend" / "tests" / "a.db"))
    assert not allowed.allows_file("/elsewhere/tests/a.db")
