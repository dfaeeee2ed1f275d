"""Notices imports during a test: the state of a module starts when its import has finished."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any, Callable, List, Optional

from ..audited import listen
from ..frames import APPLICATION, owner
from ..hooks import Hooks, call_when_imported
from ..objects import held_by, is_a
from ..own import own_builtins as __builtins__  # noqa: F401
from ..own import sys
from ..quiet import quietly


class Imports:
    """Calls `done` after the import of a module of the program, including the modules that it imports."""

    def __init__(self, done: Callable[[], None]) -> None:
        self._done = done
        self._under_way: List[ModuleSpec] = []

    def install(self, hooks: Hooks) -> None:
        """Start listening."""
        hooks.on_removal(listen("exec", self._executing))

    @quietly
    def _executing(self, event: Any) -> None:
        code = event[0]
        if type(code) is not CodeType or code.co_name != "<module>" or owner(code.co_filename) is not APPLICATION:
            return
        spec = next(filter(None, (under_way(module, code.co_filename) for module in list(sys.modules.values()))), None)
        if spec is not None and not any(spec is one for one in self._under_way):
            self._under_way.append(spec)
            call_when_imported(spec, lambda: self._is_done(spec))

    @quietly
    def _is_done(self, spec: ModuleSpec) -> None:
        self._under_way = [one for one in self._under_way if one is not spec]
        if not self._under_way:
            self._done()


def under_way(module: Any, file: str = "") -> Optional[ModuleSpec]:
    """Return the spec of a module that is being imported, from `file` if given; else None."""
    spec = held_by(module).get("__spec__") if is_a(module, ModuleType) else None
    if not is_a(spec, ModuleSpec):
        return None
    held = held_by(spec)
    is_it = held.get("_initializing", False) is True and (not file or held.get("origin") == file)
    return spec if is_it else None
