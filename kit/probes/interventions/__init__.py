"""Interventions: what a re-run changes, in memory only, to find out whether it is a cause. No file is changed.

Each kind is a class (listed in `registry`): its fields, its label, what it keeps from running, and how it is applied.
`ISOLATION_PROBES_INTERVENTIONS` names a JSON file with a list of them. The file may be encrypted, since values can
contain passwords; then the variable is `key:name`.

They are installed before the probes or around them, so that the probes observe the changed run. Each records when it
takes effect: a re-run in which none did shows nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, List, Optional

from ..hooks import Hooks
from ..own import json
from ..own import own_builtins as __builtins__  # noqa: F401
from ..recorder import Recorder
from ..sealed import Seal, new_key

if TYPE_CHECKING:
    from ..databases import Databases
    from .base import Intervention

__all__ = ["INTERVENTIONS_VARIABLE", "Interventions", "interventions_from"]

INTERVENTIONS_VARIABLE = "ISOLATION_PROBES_INTERVENTIONS"
_KEY_LENGTH = len(new_key())


class Interventions:
    """The interventions of this run; without any, none of their modules is imported."""

    def __init__(self, recorder: Recorder, wanted: List[Intervention]) -> None:
        self._recorder, self._wanted = recorder, wanted
        self._around: List[Callable[[Hooks], None]] = []
        self._listening: List[Callable[[Databases], None]] = []
        self.refused = False  # a connection was refused: its database is off the allow-list

    def install(self, hooks: Hooks) -> None:
        if not self._wanted:
            return
        from .base import Rerun

        for number, wanted in enumerate(self._wanted):
            wanted.apply(Rerun(
                wanted.op, number, hooks, self._recorder, lambda: self.refused, self._around, self._listening,
            ))

    def install_around(self, hooks: Hooks, databases: Databases) -> None:
        """Install what has to wrap the probes or listens to them; called after the probes are installed."""
        for listen in self._listening:
            listen(databases)
        for install in self._around:
            install(hooks)


def interventions_from(path: Optional[str]) -> List[Intervention]:
    """Read the interventions from a file, encrypted or not; [] without a file.

    Raises ValueError for an unknown one: kit and probes have different versions.
    """
    if not path:
        return []
    from .registry import intervention_from

    key, colon, name = path.partition(":")
    sealed = bool(colon) and len(key) == _KEY_LENGTH
    with open(name if sealed else path, encoding="utf-8") as file:
        text = file.read()
    return [intervention_from(found) for found in json.loads(Seal(key).opened(text) if sealed else text)]
