"""Interventions: what a re-run does otherwise, in memory only, to see what it decides. Nobody's files are touched.

Each kind is a class of its own (`registry` lists them): its fields, its label, what it takes away from the run, and how
it is put in. `ISOLATION_PROBES_INTERVENTIONS` names a file with a list of them as JSON, which may be sealed, for values
have passwords in them: the key, a colon, and the file's name.

They are put in before the probes, or around them, so that the probes see the run as it then is. Each says in the record
when it took hold: a re-run in which nothing took hold shows nothing.
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
    """The interventions of this run; a run without any imports none of their modules."""

    def __init__(self, recorder: Recorder, wanted: List[Intervention]) -> None:
        self._recorder, self._wanted = recorder, wanted
        self._around: List[Callable[[Hooks], None]] = []
        self._listening: List[Callable[[Databases], None]] = []
        self.refused = False  # a connection was stopped: its database is not allowed

    def install(self, hooks: Hooks) -> None:
        if not self._wanted:
            return
        from .base import Rerun

        for number, wanted in enumerate(self._wanted):
            wanted.apply(Rerun(
                wanted.op, number, hooks, self._recorder, lambda: self.refused, self._around, self._listening,
            ))

    def install_around(self, hooks: Hooks, databases: Databases) -> None:
        """Put in what must be around the probes, or listens to them; to be called when those are in."""
        for listen in self._listening:
            listen(databases)
        for install in self._around:
            install(hooks)


def interventions_from(path: Optional[str]) -> List[Intervention]:
    """Read the interventions out of a file, sealed or not; none where there is no file.

    Raises ValueError for one that is not known: the kit and its probes differ in version.
    """
    if not path:
        return []
    from .registry import intervention_from

    key, colon, name = path.partition(":")
    sealed = bool(colon) and len(key) == _KEY_LENGTH
    with open(name if sealed else path, encoding="utf-8") as file:
        text = file.read()
    return [intervention_from(found) for found in json.loads(Seal(key).opened(text) if sealed else text)]
