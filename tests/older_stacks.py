"""Which tests need an older stack, and why they are left out where no Python has wheels for it.

The versions of `2023-11` and later ones have wheels for Python 3.11 and 3.12 alone. On a machine with newer ones only,
everything else is tested, and the run says at its end what was left out and which Python to install.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from kit.errors import StackError
from kit.trials.stacks import environment

NAMED = re.compile(r"20(23-11|24-07|25-06)|2023_11")
RUN = (
    r"kit_notebooks/matrix/test_matrix\.py", r"trials/test_stacks\.py::test_the_packages_of_a_stack",
    r"notebooks/test_other\.py",
)  # fmt: skip
_RUN = re.compile(rf"tests/(?:{'|'.join(RUN)})")


def needs_one(test: str) -> bool:
    """Whether a test, by its id, runs something on an older stack."""
    return bool(NAMED.search(test) or _RUN.match(test))


def without_a_test(tests: Iterable[str]) -> list[str]:
    """The patterns of this file that match none of the tests."""
    ids = list(tests)
    return [pattern for pattern in RUN if not any(re.match(f"tests/{pattern}", one) for one in ids)]


def why_missing() -> str | None:
    """Why no environment of an older stack can be made here; None if one can."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" in environment.FITTING:
        return None
    try:
        environment.find_python("2023-11", environment.usable_uv())
    except StackError as error:
        return str(error)
    return None
