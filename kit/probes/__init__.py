"""Probes: what an interpreter can tell about the databases it uses. Standard library only, Python 3.9 and later.

One file for each question, one shape: made with what it needs, then `install(hooks)`.

    environ         who read or wrote a variable that names a database, and when
    sqlalchemy_use  which engine was made, by whom, from which variable; which session each statement came through
    drivers         which server answered a new connection: asks it
    app_use         which application took a request, which override supplied a dependency, and which was never asked
    pytest_use      which test was under way, and how it ended
    gate            may this database be used? Stops a connection that may not (only where an allow-list is given)
    changes         one thing changed, to see what it decides (only where an experiment is asked for)

Without an allow-list and an experiment they change no behaviour, and `remove()` puts everything back. What they see goes to a file for
each process in the folder that `install` is given (`recorder`).
"""

from __future__ import annotations

import atexit
import os
from typing import Any, FrozenSet, Optional

from .allow import AllowList
from .app_use import AppProbe
from .changes import Changes, changes_from
from .context import CURRENT
from .databases import Databases
from .drivers import DriverProbe
from .environ import EnvironmentProbe
from .gate import Gate, Refusal, allow_from
from .guarding import guard_from
from .hooks import Hooks
from .pytest_use import PytestProbe
from .recorder import Recorder
from .sqlalchemy_use import SQLAlchemyProbe

__all__ = ["NAMES", "Installed", "allow_from", "guard_from", "install", "remove"]

NAMES = ("environment", "engine", "connection", "app", "pytest")


class Installed:
    """The probes of this process, from `install` until `remove`."""

    def __init__(self, directory: str, epoch: float, without: FrozenSet[str], allow: Optional[AllowList]) -> None:
        self.recorder = Recorder(directory, epoch)
        self.hooks = Hooks()
        databases = Databases(self.recorder, Gate(allow, self._refused) if allow is not None else None)
        environ = EnvironmentProbe(self.recorder)
        probes: Any = {
            "environment": environ,
            "engine": SQLAlchemyProbe(self.recorder, databases, None if "environment" in without else environ),
            "connection": DriverProbe(databases),
            "app": AppProbe(self.recorder, databases),
            "pytest": PytestProbe(self.recorder),
        }
        self.names = [name for name in NAMES if name not in without]
        self.recorder.plain("probes", installed=self.names)
        self.changes = Changes(self.recorder, changes_from(os.environ.get("ISOLATION_PROBES_CHANGES")))
        self.changes.install(self.hooks)
        for name in self.names:
            probes[name].install(self.hooks)
        atexit.register(self.end)

    def _refused(self, refusal: Refusal) -> None:
        fields = {name: refusal[name] for name in ("database", "entry", "observed", "why_not")}
        self.recorder.event("refusal", **fields)
        self.changes.refused = True

    def end(self) -> None:
        """Write down that this process came to its end with its probes still in."""
        atexit.unregister(self.end)
        self.recorder.plain("end", watched=self.hooks.installed, failures=self.hooks.failures)

    def remove(self) -> None:
        self.hooks.remove()
        self.recorder.close()


_installed: Optional[Installed] = None


def install(
    directory: str, epoch: float, without: FrozenSet[str] = frozenset(), allow: Optional[AllowList] = None,
) -> Installed:
    """Put every probe in, except those named in `without`; a second time is refused with RuntimeError.

    With `allow`, a connection to a database that is not on it is stopped before its first statement.
    """
    global _installed
    if _installed is not None:
        raise RuntimeError("the probes are in already")
    CURRENT.reset()
    _installed = Installed(directory, epoch, without, allow)
    return _installed


def remove() -> None:
    """Take every probe out, and put back what was there before."""
    global _installed
    if _installed is not None:
        _installed.end()
        _installed.remove()
        _installed = None
