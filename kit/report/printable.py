"""Texts for a terminal, a log or an annotation: what others wrote in them is shown, and does nothing. Pure."""

from __future__ import annotations

import re

# Control characters but for tab and line feed, those that turn the direction of writing, other ends of lines, and
# halves of surrogate pairs, which cannot be written at all.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_COLORS = re.compile("\x1b\\[[0-9;:]*m")


def printable(text: str) -> str:
    """Return `text` with colors left out, and what else would act on a terminal written as its number."""
    return _ACTING.sub(_named, _COLORS.sub("", text))


def shortened(text: str, at_most: int) -> str:
    """Return `text`, of a long one its beginning, and how much of it was left out."""
    return text if len(text) <= at_most else f"{text[:at_most]} ... ({len(text) - at_most:,} more characters left out)"


def _named(letter: re.Match[str]) -> str:
    number = ord(letter[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
