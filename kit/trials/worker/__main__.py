"""Start a parent: `python kit/trials/worker FOLDER`. Leaves nothing in a fork's `__main__` or on its path."""

import importlib.util
import os
import sys
from types import ModuleType


def _parent() -> ModuleType:
    folder = os.path.dirname(os.path.abspath(__file__))
    name = "_kit_worker"
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return importlib.import_module(f"{name}.parent")


_task = _parent().main(sys.argv[1])
if _task is not None:
    _task()
