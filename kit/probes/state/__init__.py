"""State that a test leaves behind: a snapshot before the test, the differences after it, and the lines that wrote them.

A snapshot starts at the program's modules, its fixtures, the process and the libraries, and follows all references. It
runs none of the program's code, and copies no object: the content of each container is stored separately, so that
changes in place are noticed, and can be reverted.
"""

from __future__ import annotations

from ..own import own_builtins as __builtins__  # noqa: F401
