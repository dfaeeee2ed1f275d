"""The application's modules among those that are loaded. A library's module is looked at once."""

from __future__ import annotations

from types import ModuleType
from typing import Any, List, Tuple

from .frames import APPLICATION, owner
from .objects import Notes, address, held_by, is_a
from .own import own_builtins as __builtins__  # noqa: F401
from .own import sys

_of_libraries: "Notes[bool]" = Notes()  # their modules


def application_modules() -> List[Tuple[str, ModuleType]]:
    """Return the application's modules with their names in `sys.modules`, in the order in which they were imported."""
    found = []
    loaded = dict.copy(sys.modules)
    known = _of_libraries.addresses()
    for name, module in [(name, module) for name, module in loaded.items() if address(module) not in known]:
        file = held_by(module).get("__file__") if is_a(module, ModuleType) else None
        if type(file) is not str:
            continue  # it may get one later
        if owner(file) is APPLICATION:
            found.append((name, module))
        else:
            _of_libraries.set(module, True)
    return found


def newest_module() -> Tuple[Any, ...]:
    """Return what differs once a module was added or removed: how many there are, and which came last."""
    loaded: Any = sys.modules
    try:
        name, module = next(reversed(dict.items(loaded)), (None, None))
    except (RuntimeError, TypeError):  # another thread is importing one; it was replaced by something else
        return (object(),)
    # A key of another type could have an `__eq__` of the program's.
    return dict.__len__(loaded), name if type(name) is str else address(name), address(module)
