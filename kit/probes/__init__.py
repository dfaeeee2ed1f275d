"""Probes: observe, inside an interpreter, the databases that it uses. Standard library only, Python 3.9 and later.

One module for each question, all of one shape: a constructor with its dependencies, then `install(hooks)`.

    environ         reads and writes of the variables that name a database, with their stacks
    audit           settings files that were read; files of the application that were executed twice
    sqlalchemy_use  engines, with the stack and the variable behind each; the session of each statement
    drivers         the server that answers a new connection, by its own identity; transactions left open
    threads         the stack that started each thread
    app_use         the application of each request; overrides that supplied a dependency; keys that match none
    names           names that hold an engine, a session or an application, and names that were assigned another
    pytest_use      the current test, and its outcome
    unittest_use    the same where unittest runs without pytest
    gate            refuses connections to databases off the allow-list (only if one is given)
    interventions   a folder: what a re-run changes, to find out whether it is a cause (only in re-runs)

Without an allow-list and interventions they change no behaviour, and `remove()` restores everything. Each process
writes its events to a file of its own in the folder that `install` is given (`recorder`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gate import allow_from
    from .guarding import guard_from
    from .installed import NAMES, Installed, install, remove

__all__ = ["NAMES", "Installed", "allow_from", "guard_from", "install", "remove"]

_HOME = {"allow_from": "gate", "guard_from": "guarding"}  # all others are in `installed`


def __getattr__(name: str) -> Any:
    """Import a public name on first use, and nothing else: the guard needs only a few of these modules."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'installed')}"), name)
