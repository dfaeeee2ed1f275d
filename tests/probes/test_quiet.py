from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from kit.probes import quiet
from kit.probes.gate import DatabaseRefused


@pytest.fixture(autouse=True)
def told() -> Iterator[list[tuple[str, str]]]:
    heard: list[tuple[str, str]] = []
    quiet.clear()
    quiet.listeners.append(lambda name, why: heard.append((name, why)))
    yield heard
    quiet.clear()


@quiet.quietly
def probe(error: BaseException | None) -> int:
    if error is not None:
        raise error
    return 1


def test_a_failure_is_kept_and_not_raised(told: list[tuple[str, str]]) -> None:
    """A probe's own failure switches it off and is told of once, and is not raised into the program under study."""
    assert probe(None) == 1
    assert probe(LookupError("first\nand more")) is None
    assert probe(None) is None
    assert quiet.failures == {"probe": "LookupError: first"}
    assert told == [("probe", "LookupError: first")]


@pytest.mark.parametrize("error", [RecursionError("too deep"), MemoryError()])
def test_where_there_is_no_room_a_probe_fails_once(told: list[tuple[str, str]], error: Exception) -> None:
    """A program that is at the end of its stack or its memory is not the probe's fault: it is told of, and stays on."""
    assert probe(error) is None
    assert probe(None) == 1
    assert [name for name, _ in told] == ["probe"]


@pytest.mark.parametrize("error", [DatabaseRefused("no"), KeyboardInterrupt(), SystemExit(3)])
def test_what_must_be_raised_is(error: BaseException) -> None:
    """A refusal by the gate, and what ends a program, goes through."""
    with pytest.raises(type(error)):
        probe(error)
    assert quiet.failures == {}


def test_what_a_signals_handler_raises_is_the_programs() -> None:
    """An error that a handler of a signal raises in the midst of a probe reaches the program, and ends no probe."""

    def handler(*_: object) -> None:
        raise TimeoutError("the program's own limit")

    @quiet.quietly
    def probing() -> None:
        signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(TimeoutError, match="the program's own"):
            probing()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert quiet.failures == {}


def test_an_error_is_not_asked_for_its_text() -> None:
    """An error of the program's own kind is named without calling what it has for a text."""

    class Odd(Exception):
        def __str__(self) -> str:
            raise AssertionError("asked")

    assert quiet.reason(Odd("it")) == "Odd: it"
    assert quiet.reason(Odd(1)) == "Odd: "
