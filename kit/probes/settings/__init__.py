"""Settings: texts in a program's state that name a database. Which come to hold another one, and on which line?"""

from __future__ import annotations

from ..own import own_builtins as __builtins__  # noqa: F401
