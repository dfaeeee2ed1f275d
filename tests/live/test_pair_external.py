"""A pair that somebody else runs, named by URLs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from kit.errors import PairError
from kit.pair import Pair, down, open_pair, status, up
from kit.pair.connect import connect
from kit.pair.embedded import free_ports
from kit.pair.external import pair_from_environment
from kit.pair.slots import open_slots


@pytest.fixture
def bare(pair: Pair) -> Iterator[tuple[str, str]]:
    """The URLs of an empty database on each server, without the table."""
    urls = []
    name = f"bare_{secrets.token_hex(4)}"
    for side in pair.sides:
        with connect(side.admin or "") as connection:
            connection.execute(f"create database {name} owner {side.user}".encode())
        urls.append(side.url().replace(f"/{side.database}", f"/{name}"))
    yield urls[0], urls[1]
    for side in pair.sides:
        with connect(side.admin or "") as connection:
            connection.execute(f"drop database {name} with (force)".encode())


def tables(url: str) -> list[tuple[object, ...]]:
    with connect(url) as connection:
        return connection.execute("select relname from pg_class where relnamespace = 'public'::regnamespace").fetchall()


def count(url: str) -> object:
    with connect(url) as connection:
        row = connection.execute("select count(*) from sites").fetchone()
        return row and row[0]


def test_two_urls_are_a_pair(pair: Pair) -> None:
    """Servers named by URLs, with a driver in them or not, are asked who they are and have the same attributes."""
    with open_pair(urls=(pair.production.url("asyncpg"), pair.test.url())) as external:
        assert external.kind == "external"
        assert not external.writable
        for side, same in zip(external.sides, pair.sides, strict=True):
            assert side.identity.server == same.identity.server
            assert (side.host, side.port, side.database, side.user) == (same.host, same.port, same.database, same.user)
            assert (side.password, side.admin, side.log) == (same.password, None, None)
            assert side.url() == same.url()


def test_one_server_is_refused_however_it_is_called(pair: Pair) -> None:
    """Another database, role and name of the host are still one server, and its own word shows that."""
    same = (pair.test.admin or "").replace("127.0.0.1", "localhost")
    assert same.split("@")[1] != pair.test.url().split("@")[1]
    with pytest.raises(PairError, match="are one server") as raised:
        with open_pair(urls=(same, pair.test.url())):
            pass
    assert pair.test.identity.server in str(raised.value)
    assert pair.test.password not in str(raised.value)


def test_one_server_in_the_environment_is_refused(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that name a pair must name two servers too."""
    monkeypatch.setenv("KIT_PRODUCTION_URL", pair.test.admin or "")
    monkeypatch.setenv("KIT_TEST_URL", pair.test.url())
    with pytest.raises(PairError, match="are one server"):
        with open_pair():
            pass


@pytest.mark.parametrize("missing", ["PRODUCTION", "TEST"])
def test_half_a_pair_in_the_environment_is_refused(pair: Pair, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """One variable without the other is an error that names the missing one, and not a pair of one's own."""
    for name in ("PRODUCTION", "TEST"):
        monkeypatch.setenv(f"KIT_{name}_URL", pair.test.url())
    monkeypatch.delenv(f"KIT_{missing}_URL")
    with pytest.raises(PairError, match=f"KIT_{missing}_URL is not set"):
        with open_pair():
            pass


def test_nothing_is_written_unless_that_was_said(bare: tuple[str, str]) -> None:
    """Without `writable` an external database stays as it was, and no slots are made there."""
    with open_pair(urls=bare) as external:
        with pytest.raises(PairError, match="is not a server on which the kit may create databases"):
            with open_slots(external, 1):
                pass
    assert [tables(url) for url in bare] == [[], []]


def test_what_may_be_written_gets_the_table_where_it_is_missing(bare: tuple[str, str]) -> None:
    """With `writable` both sides get the table, production with its rows."""
    with open_pair(urls=bare, writable=True) as external:
        assert external.writable
    assert [count(url) for url in bare] == [731, 0]


def test_rows_that_are_there_are_left(bare: tuple[str, str]) -> None:
    """Even with `writable` a table that is there keeps exactly its rows."""
    for url in bare:
        with connect(url) as connection:
            connection.execute("create table sites (id serial primary key, name text)")
            connection.execute("insert into sites (name) values ('mine')")
    with open_pair(urls=bare, writable=True):
        pass
    assert [count(url) for url in bare] == [1, 1]


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret@127.0.0.1/db", "postgresql://127.0.0.1/db", "nonsense", "postgresql://u:secret@h:port/db",
        "postgresql://u:secret@[::1/db", "postgresql://u:secret@[nonsense]/db", "postgresql://u:secret@h:0/db",
        "postgresql://u:secret@h:99999/db", "postgresql://u:secret@h,h2:1,2/db", "postgresql://u:secret@h/d%00b", "//",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_used_is_shown_without_its_password(pair: Pair, url: str) -> None:
    """The error has the URL's side, its form and no password."""
    with pytest.raises(PairError, match=r"the URL of production is .* Wanted: postgresql://") as raised:
        with open_pair(urls=(url, pair.test.url())):
            pass
    assert "secret" not in str(raised.value)


def test_a_superusers_url_is_looked_at_too(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment names as the superuser's URL is refused like a side's, and not when it is needed."""
    for name, value in pair.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KIT_TEST_ADMIN_URL", "postgresql://u:secret@[::1/db")
    with pytest.raises(PairError, match="the URL of test's superuser is ") as raised, open_pair():
        pass
    assert "secret" not in str(raised.value)


def test_a_server_that_is_not_there_is_named() -> None:
    """A refused connection names host, port and database."""
    (port,) = free_ports(1)
    url = f"postgresql://u:secret@127.0.0.1:{port}/db"
    with pytest.raises(PairError, match=f"nothing listens on 127.0.0.1:{port}/db"):
        with open_pair(urls=(url, url)):
            pass


def test_a_kind_without_its_urls_is_refused() -> None:
    """An external pair needs to be told where it is."""
    with pytest.raises(PairError, match="without its URLs"):
        with open_pair("external"):
            pass


def test_an_external_pair_can_be_remembered(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`up` with URLs keeps them for other commands; `down` forgets them and ends nobody else's servers."""
    monkeypatch.setenv("KIT_STATE_DIR", str(tmp_path_factory.mktemp("state")))
    external = up("external", urls=(pair.production.url(), pair.test.url()))
    assert status() == external
    with open_pair() as opened:
        assert opened == external
    assert down()
    assert status() is None
    assert count(pair.test.url()) == 0


def test_an_unknown_kind_in_the_environment_is_refused(pair: Pair) -> None:
    """A kind that is none is named, with those there are."""
    with pytest.raises(PairError, match=r"KIT_PAIR_KIND is 'docker'\. Wanted: embedded or compose or external"):
        pair_from_environment({**pair.environ(), "KIT_PAIR_KIND": "docker"})
