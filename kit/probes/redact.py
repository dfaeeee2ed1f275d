"""Passwords out of everything that is shown or kept. Standard library only."""

from __future__ import annotations

from .own import own_builtins as __builtins__  # noqa: F401
from .own import re

HIDDEN = "***"

# Texts, which `re` compiles when they are first needed: most runs never come to that.
_IN_URL = r"(?P<before>[a-zA-Z][\w+.-]*://[^\s:/@'\"]*):(?P<password>[^\s/'\"]*)@"
_IN_DSN = (
    r"(?i)(?P<before>\b\w*(?:password|passwd|pwd)\b\s*[=:]\s*)(?P<password>'[^']*'|\"[^\"]*\"|[^\s,;&'\"]+)"
)


def redact(text: str) -> str:
    """Return `text` with the password of every URL and every `password=` setting replaced by `***`."""
    if "://" in text:
        text = re.sub(_IN_URL, rf"\g<before>:{HIDDEN}@", text)
    return re.sub(_IN_DSN, rf"\g<before>{HIDDEN}", text)
