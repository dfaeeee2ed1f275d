"""A lender answers who asks, hands on errors as they are, and outlives whoever goes away."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.errors import KitError, PairError, TrialError
from kit.pair.lending import ADDRESS_VARIABLE, PAIR, Asked, Lender, lent_variables


def fail() -> Any:
    raise TrialError("found", wanted="wanted", remedy="remedy")


def be_wrong() -> Any:
    raise KeyError("a fault")


@pytest.fixture
def lender() -> Iterator[Lender]:
    """A lender of one thing that there is, of one that cannot be had, and of one with a fault."""
    opened = Lender({PAIR: lambda: {"NAME": "value"}, "fails": fail, "wrong": be_wrong})
    yield opened
    opened.close()
    assert not Path(opened.address).parent.exists()


def test_what_is_lent_reaches_who_asks(lender: Lender, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose environment names a lender gets what it lends, as often as it asks, and nothing without one."""
    assert lent_variables() == {}
    monkeypatch.setenv(ADDRESS_VARIABLE, lender.address)
    assert [lent_variables(), lent_variables()] == [{"NAME": "value"}] * 2


def test_an_error_is_raised_where_it_was_asked_for(lender: Lender) -> None:
    """An error of the kit arrives with its class and all it says; a fault is named; both leave the lender alive."""
    with pytest.raises(TrialError) as raised:
        Asked(lender.address, "fails").answer()
    assert (raised.value.found, raised.value.wanted, raised.value.remedy) == ("found", "wanted", "remedy")
    with pytest.raises(PairError, match="KeyError: 'a fault'"):
        Asked(lender.address, "wrong").answer()
    with pytest.raises(KitError, match="'other'"):
        Asked(lender.address, "other").answer()
    assert Asked(lender.address, PAIR).answer() == {"NAME": "value"}


def test_who_goes_away_without_asking_keeps_nobody_waiting(lender: Lender) -> None:
    """A connection that is closed before its request, and one closed before its answer, cost no other request."""
    for request in (b"", f"{PAIR}\n".encode()):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(lender.address)
            connection.sendall(request)
    assert Asked(lender.address, PAIR).answer() == {"NAME": "value"}


def test_a_lender_that_has_gone_is_named() -> None:
    """Who asks a lender that has ended is told that, and what to do."""
    opened = Lender({})
    opened.close()
    with pytest.raises(PairError, match="does not answer") as raised:
        Asked(opened.address, PAIR)
    assert raised.value.remedy


def test_a_lender_that_ends_before_its_answer_is_named(tmp_path: Path) -> None:
    """Who has asked a lender that is killed then is told so, and does not wait."""
    address = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(address)
        listener.listen()
        asked = Asked(address, PAIR)
        listener.accept()[0].close()
    with pytest.raises(PairError, match="it ended before its answer") as raised:
        asked.answer()
    assert raised.value.remedy
