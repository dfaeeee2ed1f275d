"""What lies in a file for a while can be read with the key alone."""

from __future__ import annotations

import pytest

from kit.probes.sealed import Seal, new_key


@pytest.mark.parametrize("text", ["", "x", "postgresql://u:päss\ud800@h/db\n" * 9000])
def test_what_was_sealed_is_opened_whole(text: str) -> None:
    """Whatever a text holds, and however long it is, the key gives it back."""
    seal = Seal(new_key())
    assert seal.opened(seal.sealed(text)) == text


def test_what_is_sealed_tells_nothing() -> None:
    """The text is not in what is kept, the same text is never kept alike, and another key does not open it."""
    seal = Seal(new_key())
    first, second = seal.sealed("a password, a password"), seal.sealed("a password, a password")
    assert first != second
    assert b"password" not in bytes.fromhex(first)
    assert "password" not in Seal(new_key())._mixed(b"x" * 16, bytes.fromhex(first)[16:]).decode(errors="replace")
