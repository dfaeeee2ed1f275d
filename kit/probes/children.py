"""Python processes that this one starts: they are given what carries the probes, also in an environment of their own.

An interpreter that is told to ignore the environment (`-I`, `-E`) leaves it behind.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any, Callable, Dict, List, Mapping, Optional

from .context import CURRENT
from .hooks import Hooks

STARTED_IN = "ISOLATION_PROBES_STARTED_IN"  # the variable that names the test in which a process was started
CARRIED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "carried")
_POSITION_OF_ENV = 10  # among the arguments of Popen

Carrying = Callable[[Optional[str]], Dict[str, str]]  # PYTHONPATH as it would be -> the variables that carry the probes


class Children:
    """Adds to the environment that a process is started with; one that is handed on as it is holds them already."""

    def __init__(self, carrying: Carrying) -> None:
        self._carrying = carrying

    def install(self, hooks: Hooks) -> None:
        hooks.when_imported("subprocess", lambda subprocess: self._watch(hooks, subprocess))

    def _watch(self, hooks: Hooks, subprocess: ModuleType) -> None:
        children = self

        def starting(original: Any) -> Any:
            def __init__(process: Any, *args: Any, **kwargs: Any) -> None:
                if len(args) <= _POSITION_OF_ENV:
                    kwargs["env"] = children._with_own(kwargs.get("env"))
                else:
                    given: List[Any] = list(args)
                    given[_POSITION_OF_ENV] = children._with_own(given[_POSITION_OF_ENV])
                    args = tuple(given)
                original(process, *args, **kwargs)
            return __init__

        hooks.replace(subprocess.Popen, "__init__", starting)

    def _with_own(self, environ: Any) -> Any:
        """Return the environment with what carries the probes; what is no environment is left to Popen to refuse."""
        given = os.environ if environ is None else environ
        if not isinstance(given, Mapping):
            return environ
        carried = self._carrying(given.get("PYTHONPATH"))
        return {**given, **carried} if carried else environ


def with_carried(python_path: Optional[str]) -> str:
    """Return a PYTHONPATH on which the folder that carries the probes comes first."""
    folders = [folder for folder in (python_path or "").split(os.pathsep) if folder and folder != CARRIED]
    return os.pathsep.join([CARRIED, *folders])


def as_here(environ: Mapping[str, str]) -> Carrying:
    """Carry on what carried the probes into this process, as it is now; nothing where they came by another way."""
    own = {name: value for name, value in environ.items() if name.startswith("ISOLATION_PROBES_")}
    carried = "ISOLATION_PROBES_DIR" in own

    def carrying(python_path: Optional[str]) -> Dict[str, str]:
        return {**own, "PYTHONPATH": with_carried(python_path), **_started_in()} if carried else {}

    return carrying


def _started_in() -> Dict[str, str]:
    return {STARTED_IN: CURRENT.test} if CURRENT.test is not None else {}
