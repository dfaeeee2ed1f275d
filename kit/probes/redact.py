"""Passwords out of everything that is shown or kept. Standard library only."""

from __future__ import annotations

import re

HIDDEN = "***"

_IN_URL = re.compile(r"(?P<before>[a-zA-Z][\w+.-]*://[^\s:/@'\"]*):(?P<password>[^\s/'\"]*)@")
_IN_DSN = re.compile(
    r"(?i)(?P<before>\b\w*(?:password|passwd|pwd)\b\s*[=:]\s*)(?P<password>'[^']*'|\"[^\"]*\"|[^\s,;&'\"]+)"
)


def redact(text: str) -> str:
    """Return `text` with the password of every URL and every `password=` setting replaced by `***`."""
    if "://" in text:
        text = _IN_URL.sub(rf"\g<before>:{HIDDEN}@", text)
    return _IN_DSN.sub(rf"\g<before>{HIDDEN}", text)
