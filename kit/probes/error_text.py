"""The text of a test's error, as it is recorded: without the values of a statement, which errors of databases tell.

Such a value can be a secret that nothing shows to be one, and nothing needs it: of such an error its type is kept.
"""

from __future__ import annotations

from .drivers import PACKAGES
from .own import own_builtins as __builtins__  # noqa: F401
from .own import re
from .redact import beginning

_AT_MOST = 400  # characters
_OF_DATABASES = frozenset(("sqlalchemy", *PACKAGES))
# `package.module.Error`, and in SQLAlchemy's the type of the driver's own error.
_TYPE = re.compile(r"(?P<package>\w+)(?:\.\w+)+(?=:|\s|$)(?:: \([\w.<>' ]+\))?")
# How SQLAlchemy and Postgres tell the statement and its values. They stand in the text of other errors, too.
_VALUES = re.compile(r"\s*(?:\[(?:SQL|parameters): |\b(?:DETAIL|CONTEXT|QUERY|LINE \d+): )")
_ERROR = re.compile(r"[\w.]+: ")
_FILE = '  File "'


def recorded(text: str) -> str:
    """Return what is recorded of an error's text, which begins with its type: a short text without secrets."""
    kind = _TYPE.match(text)
    if kind is not None and kind["package"] in _OF_DATABASES:
        return beginning(kind[0], _AT_MOST)
    values = _VALUES.search(text)
    shown = text if values is None else text[: values.start()]
    error = _ERROR.match(shown)  # some secrets are known by what a line begins with
    start = error.end() if error is not None else 0
    return shown[:start] + beginning(shown[start:], _AT_MOST)


def of_traceback(text: str) -> str:
    """Return what is recorded of an error from its traceback, as Python shows it: of the part below the frames."""
    below = text[max(text.rfind(_FILE), 0):].split("\n")
    error = next((number for number, line in enumerate(below) if line and not line.startswith(" ")), len(below))
    return recorded("\n".join(below[error:]).strip())
