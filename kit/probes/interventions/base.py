"""The base class of interventions: fields, label, what it keeps from running, how it is applied.

An intervention is one change of a re-run, in memory only: no file is changed. The planner of a re-run creates it, it is
passed to the run as JSON, and the code that applies it reads the same type.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ClassVar,
    Dict,
    List,
    Tuple,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from ..own import os
from ..own import own_builtins as __builtins__  # noqa: F401

if TYPE_CHECKING:
    from ..databases import Databases
    from ..hooks import Hooks
    from ..recorder import Recorder

    File = str
else:
    from typing import Annotated

    File = Annotated[str, "a path"]  # relative to the command's folder until `placed`; "" for none

WORKSPACE = "{workspace}"  # in a value: the kit's folder in which the re-run may create files

Kind = TypeVar("Kind", bound="Intervention")
LineRange = Tuple[int, int]  # first and last line, counted from 1


@dataclass(frozen=True)
class TakenAway:
    """What an intervention keeps from running, so that it cannot reach a database.

    `tests` are ids of tests or files, `lines` are ranges of `file` that are replaced, `route` is a route that is not
    run at all.
    """

    tests: Tuple[str, ...] = ()
    file: str = ""
    lines: Tuple[LineRange, ...] = ()
    route: str = ""

    def holds(self, file: str, line: int) -> bool:
        """Return whether a line is in one of the ranges."""
        return file == self.file and any(first <= line <= last for first, last in self.lines)


@dataclass(frozen=True)
class Intervention:
    """One change of a re-run. Frozen; each kind adds its fields.

    A field with the path of a file has the type `File`, possibly in tuples. `op` names the kind in JSON, in the record
    of a run, and in messages about interventions without effect.
    """

    op: ClassVar[str]
    from_outside: ClassVar[bool] = False  # it removes something that the command was started with

    @property
    def label(self) -> str:
        """How the reader is told of the run, "without ..." or "with ..."; contains no value that can be a secret."""
        raise NotImplementedError

    @property
    def start_variable(self) -> str:
        """The variable whose value at the start it changes; "" for none."""
        return ""

    @property
    def takes_away(self) -> TakenAway:
        """What it keeps from running."""
        return TakenAway()

    def apply(self, rerun: Rerun) -> None:
        """Install it in the interpreter of a re-run."""
        raise NotImplementedError

    def placed(self: Kind, folder: str) -> Kind:
        """Return a copy with absolute paths, since the command may change its working directory."""
        hints = get_type_hints(type(self), include_extras=True)
        return type(self)(**{
            field.name: _placed(hints[field.name], getattr(self, field.name), folder) for field in fields(self)
        })

    def as_json(self) -> Dict[str, Any]:
        """Return its fields as plain values, with its kind under `op`."""
        return {"op": self.op, **{field.name: getattr(self, field.name) for field in fields(self)}}


class Rerun:
    """The environment that an intervention is applied to. `refused` returns whether a connection was refused.

    Functions in `around` are called after the probes are installed, to wrap them; functions in `listening` are called
    then, too, with the record of connections.
    """

    def __init__(
        self, op: str, number: int, hooks: Hooks, recorder: Recorder, refused: Callable[[], bool],
        around: List[Callable[[Hooks], None]], listening: List[Callable[[Databases], None]],
    ) -> None:
        self.hooks, self.refused, self.around, self.listening = hooks, refused, around, listening
        self._op, self._number, self._recorder, self._has_effect = op, number, recorder, False

    def record_effect(self) -> None:
        """Record that the intervention has taken effect, once."""
        if not self._has_effect:
            self._has_effect = True
            self._recorder.plain("change", op=self._op, number=self._number)


def as_tuples(value: Any) -> Any:
    """Convert lists in JSON values to tuples."""
    return tuple(as_tuples(one) for one in value) if isinstance(value, (list, tuple)) else value


def _placed(hint: Any, value: Any, folder: str) -> Any:
    if hint == File:
        return os.path.join(folder, value) if value else value
    if get_origin(hint) is not tuple:
        return value
    kinds = get_args(hint)
    return tuple(_placed(kinds[0 if kinds[-1] is ... else number], one, folder) for number, one in enumerate(value))
