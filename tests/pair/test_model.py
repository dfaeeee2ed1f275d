"""Values of a pair: URLs, what is shown of them, and whom an identity names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from kit.pair import Identity, Pair, Side, SideName

ROW = ("7711237497025235922", "kit-test-1", "1", "false", "2026-01-01T00:00:00.000001Z", "127.0.0.1", "5433")
REST = ("testdb", "16384", "testuser", "18.4", "4711")


def identity(**changes: object) -> Identity:
    return replace(Identity.from_row((*ROW, *REST)), **changes)  # type: ignore[arg-type]


def side(name: SideName = "test", password: str = "p@ss:w/rd", **changes: object) -> Side:
    found = Side(
        name=name,
        host="127.0.0.1",
        port=5433,
        database="testdb",
        user="testuser",
        password=password,
        admin="postgresql://postgres:adm1n@127.0.0.1:5433/postgres",
        identity=identity(cluster_name=f"kit-{name}-1"),
        log=Path("/run/test.log"),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def pair() -> Pair:
    return Pair(side("production"), side("test"), "embedded", writable=True)


def test_an_identity_is_read_from_its_row() -> None:
    """Every column of the identity query finds its field, numbers and truth values as such."""
    found = identity()
    assert (found.system_identifier, found.timeline, found.standby, found.port) == (ROW[0], 1, False, 5433)
    assert (found.database, found.database_oid, found.user, found.backend_pid) == ("testdb", 16384, "testuser", 4711)


def test_a_socket_has_no_host() -> None:
    """Over a unix socket the server knows no address, and None says so."""
    assert Identity.from_row((*ROW[:5], None, ROW[6], *REST)).host is None


@pytest.mark.parametrize(
    "change", [{"system_identifier": "1"}, {"cluster_name": "other"}, {"timeline": 2}, {"standby": True}]
)
def test_each_mark_of_a_server_tells_it_from_another(change: dict[str, object]) -> None:
    """A server with one mark changed is another server."""
    assert identity(**change).server != identity().server


def test_places_and_sessions_do_not_change_the_server() -> None:
    """Another database, user, port seen or backend is the same server."""
    assert identity(database="x", database_oid=1, user="y", port=1, backend_pid=1).server == identity().server


@pytest.mark.parametrize("password", ["p@ss:w/rd", "100%", "a b+c", "ünï"])
def test_a_password_survives_the_url(password: str) -> None:
    """What a URL's parser reads back from a side's URL is what the side holds."""
    assert unquote(urlsplit(side(password=password).url()).password or "") == password


def test_a_driver_is_named_in_the_scheme() -> None:
    """A URL for SQLAlchemy names its driver, and the plain one none."""
    assert side().url("asyncpg").startswith("postgresql+asyncpg://testuser:")
    assert side().url().startswith("postgresql://testuser:")


def test_an_ipv6_host_keeps_its_brackets() -> None:
    """A numeric IPv6 host can be told from the port."""
    assert side(host="::1").url().endswith("@[::1]:5433/testdb")


def test_nothing_shown_of_a_pair_holds_a_password() -> None:
    """Neither a pair's representation nor a redacted URL holds the user's or the superuser's password."""
    shown = f"{pair()!r} {pair()!s} {pair().test.redacted}"
    assert "p@ss" not in shown
    assert "p%40ss" not in shown
    assert "adm1n" not in shown
    assert pair().test.redacted == "postgresql://testuser@127.0.0.1:5433/testdb"


def test_the_environment_names_everything_that_is_known() -> None:
    """Both sides' URLs, superuser URLs and logs go to another process, with the pair's kind."""
    found = pair().environ()
    assert found["KIT_TEST_URL"] == side().url()
    assert found["KIT_PRODUCTION_ADMIN_URL"] == side().admin
    assert found["KIT_TEST_LOG"] == "/run/test.log"
    assert (found["KIT_PAIR_KIND"], found["KIT_PAIR_WRITABLE"]) == ("embedded", "1")


def test_what_is_not_known_is_not_named() -> None:
    """A side without a superuser or a readable log sets no variable for it."""
    bare = Pair(
        side("production", admin=None, log=None), side("test", admin=None, log=None), "external", writable=False
    )
    assert set(bare.environ()) == {"KIT_PRODUCTION_URL", "KIT_TEST_URL", "KIT_PAIR_KIND", "KIT_PAIR_WRITABLE"}
    assert bare.environ()["KIT_PAIR_WRITABLE"] == "0"
