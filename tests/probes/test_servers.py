"""An entry of the allow-list is held to the server that it led to first; aliases of that server go through."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.probes.allow import AllowList
from kit.probes.peers import Peer
from kit.probes.servers import NOT_LISTED, Servers

TEST, PROD = "7429385720384756123", "7300000000000000000"
ASKED = "postgresql://me@localhost:5433/app"
MAPPED = Peer("127.0.0.1", "5433", True)
FAR = Peer("10.0.0.9", "5432", False)


def said(number: str, host: str | None = "172.17.0.2", port: str = "5432", name: str = "") -> dict[str, str | None]:
    """What a server says of itself."""
    return {"system_identifier": number, "cluster_name": name, "database": "app", "host": host, "port": port}


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "servers")


def servers(*entries: str, file: str | None = None) -> Servers:
    return Servers(AllowList(entries, "/srv/app"), file)


def test_a_second_server_at_an_entry_is_refused() -> None:
    """Where another server answers at an allowed place, it is refused with what answered first; the first goes on."""
    known = servers("localhost:5433/app")
    assert known.refusal(ASKED, said(TEST), MAPPED) is None
    why = known.refusal(ASKED, said(PROD), MAPPED)
    assert why is not None
    assert f"another server answered there first ({TEST})" in why
    assert known.refusal(ASKED, said(TEST), MAPPED) is None
    assert known.refusal(ASKED, said(TEST, name="other"), MAPPED) is not None


def test_an_entry_is_one_server_under_all_names_of_its_host() -> None:
    """localhost and its addresses are one entry, and so one server."""
    known = servers("localhost:5433/app")
    assert known.refusal(ASKED, said(TEST), MAPPED) is None
    assert known.refusal("postgresql://me@::1:5433/app", said(PROD), Peer("::1", "5433", True)) is not None


def test_a_pattern_is_one_server_for_each_host_and_port() -> None:
    """Under wildcards each host and port has a server of its own, and keeps it."""
    known = servers("localhost:*/*")
    other = "postgresql://me@localhost:5434/app"
    assert known.refusal(ASKED, said(TEST), MAPPED) is None
    assert known.refusal(other, said(PROD), MAPPED._replace(port="5434")) is None
    assert known.refusal(other, said(TEST), MAPPED._replace(port="5434")) is not None


def of_postgres() -> str:
    """A system_identifier as initdb makes it now."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return str(seconds << 32 | (nanoseconds // 1000) << 12 | 7)


@pytest.mark.parametrize("make", [of_postgres, uuid.uuid1], ids=["postgres", "mysql"])
def test_a_server_made_since_may_follow(make: Callable[[], object]) -> None:
    """Where the tests make a server anew at the same place, it follows; one that was there before does not."""
    before = str(make())
    known = servers("localhost:5433/app")
    assert known.refusal(ASKED, said(TEST), MAPPED) is None
    assert known.refusal(ASKED, said(before), MAPPED) is not None
    made = str(make())
    assert known.refusal(ASKED, said(made), MAPPED) is None
    assert known.refusal(ASKED, said(TEST), MAPPED) is not None
    assert known.refusal(ASKED, said(str(uuid.uuid4())), MAPPED) is not None


def test_a_server_that_was_refused_is_refused_behind_a_tunnel() -> None:
    """A server that was refused at its own address is refused at an allowed place that something forwards to it."""
    known = servers("localhost:5433/app")
    assert known.refusal("postgresql://me@prod:5432/app", said(PROD, "10.0.0.9"), FAR) == NOT_LISTED
    why = known.refusal(ASKED, said(PROD, "10.0.0.9"), MAPPED)
    assert why is not None
    assert "was refused before, at prod:5432/app" in why
    assert known.refusal(ASKED, said(TEST), MAPPED) is None  # what was refused has not taken the place


def test_a_tunnel_that_came_first_is_refused_from_then_on() -> None:
    """Where the forwarded server turns up under its own name later, both are refused from then on."""
    known = servers("localhost:5433/app")
    assert known.refusal(ASKED, said(PROD, "10.0.0.9"), MAPPED) is None
    assert known.refusal("postgresql://me@prod:5432/app", said(PROD, "10.0.0.9"), FAR) == NOT_LISTED
    assert known.refusal(ASKED, said(PROD, "10.0.0.9"), MAPPED) is not None


def test_a_server_reached_directly_stays_allowed() -> None:
    """A server that is reached at its own address and port is what the entry names, whatever else leads to it."""
    known = servers("localhost:5433/app")
    direct = said(TEST, "127.0.0.1", "5433")
    assert known.refusal("postgresql://me@far:6432/app", direct, FAR) == NOT_LISTED
    assert known.refusal(ASKED, direct, MAPPED) is None


def test_another_database_of_a_refused_server_stays_allowed() -> None:
    """Tests may have their database on a server that others are refused on."""
    known = servers("db:5432/test_app")
    word = said(PROD, "10.0.0.7")
    assert known.refusal("postgresql://me@db:5432/app", word, FAR) == NOT_LISTED
    assert known.refusal("postgresql://me@db:5432/test_app", {**word, "database": "test_app"}, FAR) is None


@pytest.mark.parametrize(
    ("asked", "peer"),
    [
        ("postgresql://me@localhost:5433/app", Peer("::1", "5433", True)),
        ("postgresql://me@/run/postgresql:5433/app", Peer("/run/postgresql", "5433", True)),
        ("postgresql://me@this-machine.invalid:5433/app", Peer("192.168.1.4", "5433", True)),
    ],
    ids=["::1", "socket", "the machine's name"],
)
def test_an_alias_goes_through_once_the_server_is_known(asked: str, peer: Peer) -> None:
    """Another way of this machine to the same server is refused while it may be another, and not when it is known."""
    known = servers("127.0.0.1:5433/app")
    asks = "postgresql://me@127.0.0.1:5433/app"
    assert known.refusal(asked, said(TEST), peer) == NOT_LISTED
    assert known.refusal(asks, said(TEST), MAPPED) is None
    assert known.refusal(asked, said(TEST), peer) is None
    assert known.refusal(asked, said(PROD), peer) == NOT_LISTED
    assert known.refusal(asks, said(TEST), MAPPED) is None


@pytest.mark.parametrize(
    ("asked", "peer"),
    [
        ("postgresql://me@prod:5433/app", FAR._replace(port="5433")),
        ("postgresql://me@localhost:5432/app", MAPPED._replace(port="5432")),
        ("postgresql://me@localhost:5433/app", None),
    ],
    ids=["elsewhere", "another port", "nobody knows where"],
)
def test_what_is_no_alias_is_refused(asked: str, peer: Peer | None) -> None:
    """The same server at another machine's address, at another port, or nobody knows where, is not on the list."""
    known = servers("127.0.0.1:5433/app")
    assert known.refusal("postgresql://me@127.0.0.1:5433/app", said(TEST), MAPPED) is None
    assert known.refusal(asked, said(TEST), peer) == NOT_LISTED


def test_a_servers_own_word_needs_no_place() -> None:
    """`server:` entries hold the server wherever it is reached, and are held to nothing else."""
    known = servers(f"server:{TEST}/app", f"server:{PROD}/app")
    assert known.refusal(ASKED, said(TEST), MAPPED) is None
    assert known.refusal(ASKED, said(PROD), FAR) is None


def test_who_does_not_say_who_it_is_is_judged_by_the_place() -> None:
    """A server that gives no identity can only be judged by where it is."""
    known = servers("localhost:5433/app")
    assert known.refusal(ASKED, None, MAPPED) is None
    assert known.refusal(ASKED, {"database": "app"}, MAPPED) is None
    assert known.refusal("postgresql://me@prod:5433/app", None, FAR) == NOT_LISTED


def test_what_is_known_is_shared_by_processes(file: str) -> None:
    """What one process knows of servers, refusals and useful entries, the others know."""
    one, other = servers("localhost:5433/app", "b.db", file=file), servers("localhost:5433/app", "b.db", file=file)
    assert one.refusal(ASKED, said(TEST), MAPPED) is None
    assert other.refusal(ASKED, said(PROD), MAPPED) is not None
    assert other.idle() == ("b.db",)
    assert other.refusal("postgresql://me@prod:5432/app", said(TEST), FAR) == NOT_LISTED
    assert one.refusal(ASKED, said(TEST), MAPPED) is not None
    other.matched(["b.db"])
    assert one.idle() == ()


def test_a_file_that_is_gone_or_cut_loses_nothing(file: str) -> None:
    """Where a test takes the file away, what a process knows stays; a line that is not whole yet is not read."""
    known = servers("localhost:5433/app", file=file)
    assert known.refusal(ASKED, said(TEST), MAPPED) is None
    with Path(file).open("a") as written:
        written.write('{"matched": "lo')
    assert known.refusal(ASKED, said(TEST), MAPPED) is None
    Path(file).unlink()
    Path(file).parent.rmdir()
    assert known.refusal(ASKED, said(PROD), MAPPED) is not None
    known.matched(["localhost:5433/other"])
    assert known.refusal(ASKED, said(PROD), MAPPED) is not None
