"""Make text safe for a terminal, a log or an annotation. Pure."""

from __future__ import annotations

import re

# Control characters except tab and line feed, characters that change the writing direction, other line separators, and
# lone surrogates, which cannot be encoded.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_COLORS = re.compile("\x1b\\[[0-9;:]*m")


def printable(text: str) -> str:
    """Return `text` without colours, and with other characters that a terminal would interpret escaped."""
    return _ACTING.sub(_named, _COLORS.sub("", text))


def shortened(text: str, at_most: int) -> str:
    """Return `text`, shortened to its beginning and the number of characters left out if it is too long."""
    return text if len(text) <= at_most else f"{text[:at_most]} ... ({len(text) - at_most:,} more characters left out)"


def _named(letter: re.Match[str]) -> str:
    number = ord(letter[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
