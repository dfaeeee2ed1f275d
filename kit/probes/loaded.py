"""The application's modules among those that are loaded. A library's module is looked at once."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Dict, List, Tuple
from weakref import ReferenceType

from .frames import APPLICATION, owner
from .objects import held_by, is_a, pointer_to
from .own import own_builtins as __builtins__  # noqa: F401
from .own import sys

_of_libraries: Dict[str, "ReferenceType[Any]"] = {}  # name in sys.modules -> the module


def application_modules() -> List[Tuple[str, ModuleType]]:
    """Return the application's modules with their names in `sys.modules`, in the order in which they were imported."""
    found = []
    for name, module in list(sys.modules.items()):
        known = _of_libraries.get(name)
        if known is not None and known() is module:
            continue
        file = held_by(module).get("__file__") if is_a(module, ModuleType) else None
        if type(file) is not str:
            continue  # it may get one later
        if owner(file) is APPLICATION:
            found.append((name, module))
            continue
        pointer = pointer_to(module)
        if pointer is not None:
            _of_libraries[name] = pointer
    return found
