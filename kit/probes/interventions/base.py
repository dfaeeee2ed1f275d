"""What every intervention has: its fields, its label, what it keeps from running, how it is applied.

An intervention is one thing that a re-run changes, in memory only: no file is changed. The planner of a
re-run makes it, it goes to the run as JSON, and the code that applies it reads the same type.
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

    File = Annotated[str, "a path"]  # relative to the folder of the command until it is `placed`; "" where it is none

WORKSPACE = "{workspace}"  # in a value: stands for the folder of the kit's own in which the re-run may make files

Kind = TypeVar("Kind", bound="Intervention")
LineRange = Tuple[int, int]  # the first line and the last, from 1


@dataclass(frozen=True)
class TakenAway:
    """What a run does not do because of an intervention, so that it cannot reach a database there.

    `tests` are ids of tests, or files of them. `lines` are lines of a file that are replaced, `route` the
    route to a connection that is not run at all.
    """

    tests: Tuple[str, ...] = ()
    file: str = ""
    lines: Tuple[LineRange, ...] = ()
    route: str = ""

    def holds(self, file: str, line: int) -> bool:
        """Tell whether a line is among those that do not run."""
        return file == self.file and any(first <= line <= last for first, last in self.lines)


@dataclass(frozen=True)
class Intervention:
    """One thing that a re-run does otherwise. Frozen; the fields of each kind are those of its class.

    A field that names a file is declared as `File`, be it in tuples. `op` names the kind in JSON, in the record of a
    run and where it is said that an intervention had no effect.
    """

    op: ClassVar[str]
    from_outside: ClassVar[bool] = False  # it takes away what the command was started with

    @property
    def label(self) -> str:
        """What is said of the run, as a person would: "without ...", "with ..."; no value that can be a secret."""
        raise NotImplementedError

    @property
    def takes_away(self) -> TakenAway:
        """What the run does not do because of it."""
        return TakenAway()

    def apply(self, rerun: Rerun) -> None:
        """Put it into the interpreter of a re-run."""
        raise NotImplementedError

    def placed(self: Kind, folder: str) -> Kind:
        """The same with its files named whole: the command may go to another folder than the one it is started in."""
        hints = get_type_hints(type(self), include_extras=True)
        return type(self)(**{
            field.name: _placed(hints[field.name], getattr(self, field.name), folder) for field in fields(self)
        })

    def as_json(self) -> Dict[str, Any]:
        """It as plain values, with its kind under `op`."""
        return {"op": self.op, **{field.name: getattr(self, field.name) for field in fields(self)}}


class Rerun:
    """What an intervention is put in with. `refused` says whether a connection was stopped.

    What is appended to `around` is called when the probes are in, and goes around them; what is appended to `listening`
    is called then, too, with what keeps the connections.
    """

    def __init__(
        self, op: str, number: int, hooks: Hooks, recorder: Recorder, refused: Callable[[], bool],
        around: List[Callable[[Hooks], None]], listening: List[Callable[[Databases], None]],
    ) -> None:
        self.hooks, self.refused, self.around, self.listening = hooks, refused, around, listening
        self._op, self._number, self._recorder, self._took_hold = op, number, recorder, False

    def took_hold(self) -> None:
        """Write down that the run is another one for it; once is enough."""
        if not self._took_hold:
            self._took_hold = True
            self._recorder.plain("change", op=self._op, number=self._number)


def as_tuples(value: Any) -> Any:
    """Values as JSON has them, with tuples for its lists."""
    return tuple(as_tuples(one) for one in value) if isinstance(value, (list, tuple)) else value


def _placed(hint: Any, value: Any, folder: str) -> Any:
    if hint == File:
        return os.path.join(folder, value) if value else value
    if get_origin(hint) is not tuple:
        return value
    kinds = get_args(hint)
    return tuple(_placed(kinds[0 if kinds[-1] is ... else number], one, folder) for number, one in enumerate(value))
