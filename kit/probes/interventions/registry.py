"""All interventions, and how one is read from JSON. A new one needs a class and a row here."""

from __future__ import annotations

from typing import Any, Dict, Tuple, Type

from ..own import own_builtins as __builtins__  # noqa: F401
from .applications import NoLifespan
from .base import Intervention, as_tuples
from .connections import (
    CommitAfter,
    NoCreator,
    NoPool,
    NoRouting,
    OneInMemory,
    RedirectConnection,
    RedirectEngine,
    RedirectSession,
    RemoveFirst,
)
from .copies import RebindCopies
from .locks import EndFirst
from .options import OwnConfiguration, WithoutOption
from .outside import ReportDatabases
from .overrides import ApplyOverride, FollowName, RedirectCall, SetDefault
from .services import ServiceInstead
from .state import LeaveBehind
from .tests import AfterEach, GiveInstead, LeaveOut, OneProcess, RestoreFolder, RunFirst, RunOnly, StopWhenRefused
from .texts import EditModule, EditSettings, PathFirst
from .threads import HandOnContext
from .variables import DropFromFiles, HandOnVariable, PinVariable, RememberVariables, SetVariable, UnsetVariable

INTERVENTIONS: Tuple[Type[Intervention], ...] = (
    SetVariable, PinVariable, UnsetVariable, HandOnVariable, DropFromFiles, RememberVariables,
    OwnConfiguration, WithoutOption,
    EditModule, EditSettings, PathFirst,
    LeaveOut, RunOnly, RunFirst, AfterEach, OneProcess, RestoreFolder, StopWhenRefused,
    GiveInstead,
    NoPool, NoRouting, NoCreator, OneInMemory, CommitAfter, RedirectSession, RedirectConnection, RedirectEngine,
    RemoveFirst, EndFirst,
    ApplyOverride, FollowName, RedirectCall, SetDefault, RebindCopies,
    NoLifespan,
    HandOnContext, ServiceInstead,
    LeaveBehind, ReportDatabases,
)
_BY_OP: Dict[str, Type[Intervention]] = {kind.op: kind for kind in INTERVENTIONS}


def intervention_from(found: Dict[str, Any]) -> Intervention:
    """Make an intervention from the result of `as_json`. Raises ValueError if kit and probes differ in version."""
    given = {name: as_tuples(value) for name, value in found.items() if name != "op"}
    try:
        return _BY_OP[found["op"]](**given)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no such intervention: {found.get('op')} with {', '.join(sorted(given))}") from error
