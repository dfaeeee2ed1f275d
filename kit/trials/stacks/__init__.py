"""The stacks: sets of versions that trials run with, each an environment with its own interpreter.

`current` is the environment of the kit itself. The others have the versions of the end of a month, `2023-11` those that
the report names. They are installed from the lock files in this folder when they are first requested, which takes up to
a minute, and kept in the user's cache.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kit.errors import StackError

__all__ = ["LOCKED", "STACKS", "Stack", "check_name", "packages", "stack"]

LOCKED = ("2023-11", "2024-07", "2025-06")
"""Those with a lock file, the oldest first."""
STACKS = ("current", *LOCKED)

_TOLD = (
    "fastapi", "starlette", "pydantic", "sqlalchemy", "greenlet", "asyncpg", "httpx", "anyio", "pytest",
    "pytest-asyncio", "pytest-fastapi-deps",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stack:
    """One environment for trials.

    `versions` are those of Python and of the installed distributions that matter to the specimen, by name. `folders`
    are where its distributions are.
    """

    name: str
    python: Path
    versions: Mapping[str, str] = field(compare=False)
    folders: tuple[str, ...] = field(default=(), compare=False)


def stack(name: str) -> Stack:
    """The stack with this name, installed if necessary.

    Raises StackError for an unknown name, and when the environment cannot be made.
    """
    check_name(name)
    if name == "current":
        return _stack(name, Path(sys.executable), platform.python_version(), sys.path)
    from kit.trials.stacks.environment import environment_of

    environment = environment_of(Path(__file__).with_name(f"{name}.txt"))
    return _stack(name, environment.interpreter, environment.python_version, [str(environment.packages)])


def check_name(name: str) -> None:
    """Raise StackError for a name that is no stack's."""
    if name not in STACKS:
        raise StackError(f"There is no stack {name!r}", wanted=f"one of {', '.join(STACKS)}")


def packages(of: Stack) -> dict[str, str]:
    """{name: version} of Python and of each distribution that trials of this stack can use.

    Of the current stack these are the packages that the lists of the others name, and what they require: the
    environment of the kit has many more, which no trial loads.
    """
    from kit.trials.stacks.installed import everything, required

    lists = (Path(__file__).with_name(f"{name}.in") for name in LOCKED)
    found = required(lists, of.folders) if of.name == "current" else everything(of.folders)
    return {"python": of.versions["python"], **dict(sorted(found.items()))}


def _stack(name: str, python: Path, version: str, folders: Iterable[str]) -> Stack:
    from importlib.metadata import distributions

    searched = tuple(folders)
    versions = {"python": version}
    for told in _TOLD:
        for distribution in distributions(name=told, path=list(searched)):
            versions.setdefault(told, distribution.version)
    return Stack(name, python, versions, searched)
