"""The stacks: sets of versions that trials run with, each an environment with its own interpreter.

`current` is the environment of the kit itself. `2023-11` has the versions that the report names; it is installed from
the lock file in this folder when it is first requested, which takes up to a minute, and kept in the user's cache.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kit.errors import StackError

__all__ = ["STACKS", "Stack", "stack"]

STACKS = ("current", "2023-11")

_TOLD = (
    "fastapi", "starlette", "pydantic", "sqlalchemy", "greenlet", "asyncpg", "httpx", "anyio", "pytest",
    "pytest-asyncio", "pytest-fastapi-deps",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stack:
    """One environment for trials.

    `versions` are those of Python and of the installed distributions that matter to the specimen, by name.
    """

    name: str
    python: Path
    versions: Mapping[str, str] = field(compare=False)


def stack(name: str) -> Stack:
    """The stack with this name, installed if necessary.

    Raises StackError for an unknown name, and when the environment cannot be made.
    """
    if name not in STACKS:
        raise StackError(f"There is no stack {name!r}", wanted=f"one of {', '.join(STACKS)}")
    if name == "current":
        return Stack(name, Path(sys.executable), _versions(platform.python_version(), sys.path))
    from kit.trials.stacks.environment import environment_of

    environment = environment_of(Path(__file__).with_name(f"{name}.txt"))
    return Stack(name, environment.interpreter, _versions(environment.python_version, [str(environment.packages)]))


def _versions(python: str, path: Iterable[str]) -> Mapping[str, str]:
    from importlib.metadata import distributions

    versions = {"python": python}
    for name in _TOLD:
        for distribution in distributions(name=name, path=list(path)):
            versions.setdefault(name, distribution.version)
    return versions
