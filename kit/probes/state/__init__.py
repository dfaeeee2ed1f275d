"""State that one test leaves for another: what there was before it, what differs after it, and which line wrote it.

A snapshot goes from the program's modules, its fixtures, the process and the libraries through everything that these
hold. It calls nothing of the program's, and copies no object: each container's content is kept beside it, so that a
change in place is seen, and can be taken back.
"""

from __future__ import annotations

from ..own import own_builtins as __builtins__  # noqa: F401
