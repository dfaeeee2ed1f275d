"""Settings: texts in the program's state that name a database, and the lines that change them to name another."""

from __future__ import annotations

from ..own import own_builtins as __builtins__  # noqa: F401
