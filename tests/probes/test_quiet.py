from __future__ import annotations

import pytest

from kit.probes import quiet
from kit.probes.gate import DatabaseRefused


@pytest.fixture(autouse=True)
def failures(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found: dict[str, str] = {}
    monkeypatch.setattr(quiet, "failures", found)
    return found


@quiet.quietly
def probe(error: BaseException | None) -> int:
    if error is not None:
        raise error
    return 1


def test_a_failure_is_kept_and_not_raised(failures: dict[str, str]) -> None:
    """A probe's own failure ends in the record, the first of each, and not in the program under study."""
    assert probe(None) == 1
    assert probe(LookupError("first\nand more")) is None
    assert probe(ValueError("second")) is None
    assert failures == {"probe": "LookupError: first"}


@pytest.mark.parametrize("error", [DatabaseRefused("no"), KeyboardInterrupt(), SystemExit(3)])
def test_what_must_be_raised_is(failures: dict[str, str], error: BaseException) -> None:
    """A refusal by the gate, and what ends a program, goes through."""
    with pytest.raises(type(error)):
        probe(error)
    assert failures == {}
