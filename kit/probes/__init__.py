"""Probes: what can be observed inside an interpreter about the databases it uses. Standard library only, Python 3.9+.

One file for each question, one shape: made with what it needs, then `install(hooks)`.

    environ         who read or wrote a variable that names a database, and when
    audit           which settings files were read, and which file of the application's was executed twice
    sqlalchemy_use  which engine was made, by whom, from which variable; which session each statement came through
    drivers         which server answered a new connection: asks it; which transactions were left open
    threads         whose code started a thread
    app_use         which application took a request, which override supplied a dependency, and which was never asked
    names           which names hold an engine, a session or an application, and which were given another
    pytest_use      which test was under way, and how it ended
    unittest_use    the same where unittest runs by itself
    gate            may this database be used? Stops a connection that may not (only where an allow-list is given)
    interventions   a folder: what a re-run changes, to see whether that decides (only in re-runs)

Without an allow-list and an intervention they change no behaviour, and `remove()` puts everything back. What they see
goes to a file for each process in the folder that `install` is given (`recorder`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gate import allow_from
    from .guarding import guard_from
    from .installed import NAMES, Installed, install, remove

__all__ = ["NAMES", "Installed", "allow_from", "guard_from", "install", "remove"]

_HOME = {"allow_from": "gate", "guard_from": "guarding"}  # all others are of `installed`


def __getattr__(name: str) -> Any:
    """Import what is asked for, and no more: the guard needs little of all this."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'installed')}"), name)
