"""What others wrote does nothing to a terminal."""

from __future__ import annotations

import pytest

from kit.report.printable import printable, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"), ("\x1b[31mred\x1b[0m", "red"), ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"), ("a\rb", "a\\x0db"), ("\x00", "\\x00"), ("\u202eabc", "\\u202eabc"),
        ("\ud800", "\\ud800"), ("\u2028", "\\u2028"), ("grün \U0001f600", "grün \U0001f600"),
        ("\x1b\x1b[0m[2J", "\\x1b[2J"),
    ],
)  # fmt: skip
def test_control_characters_are_shown_by_their_numbers(text: str, shown: str) -> None:
    """Colors go, and what would move the cursor, set a title, turn the writing or break the encoding is written out."""
    assert printable(text) == shown
    printable(text).encode()


def test_a_long_text_is_cut_with_a_word_about_it() -> None:
    """A text of any length is shown by its beginning, and what is left out is counted."""
    assert shortened("x" * 20_000_000, 10) == "xxxxxxxxxx ... (19,999,990 more characters left out)"
    assert shortened("x" * 10, 10) == "x" * 10
