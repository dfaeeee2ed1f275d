"""Loads the probes into any interpreter that has this folder on PYTHONPATH.

Python imports a module of this name when it starts. The folder contains nothing else, so that a project cannot import
anything from it by accident; the probes are loaded from their own folder under a name that no project uses. Then the
`sitecustomize` that Python would have imported without this folder runs.

Every Python from 2.7 on can parse this file: one that is too old for the probes reports that to the guard.
"""

import os
import sys
from types import ModuleType  # noqa: F401  # for the type comments

_PROBES = "_isolation_probes"
_OLDEST = (3, 9)


def _install():  # type: () -> None
    if sys.version_info < _OLDEST:
        _report_old_python()
        return
    directory, guard = os.environ.get("ISOLATION_PROBES_DIR"), os.environ.get("ISOLATION_PROBES_GUARD")
    probes = sys.modules.get(_PROBES)
    if not (directory or guard) or (probes is not None and not vars(probes).pop("loaded_ahead", False)):
        return
    probes = probes or _load()
    if guard:
        probes.guard_from(guard)
    if directory:
        without = frozenset(filter(None, os.environ.get("ISOLATION_PROBES_WITHOUT", "").split(",")))
        allow = probes.allow_from(os.environ.get("ISOLATION_PROBES_ALLOW"))
        probes.install(directory, float(os.environ.get("ISOLATION_PROBES_EPOCH", "0")), without, allow)


def _report_old_python():  # type: () -> None
    import json

    guard = os.environ.get("ISOLATION_PROBES_GUARD")
    if not guard:
        return
    settings = json.loads(guard)
    note = "Python %d.%d: too old for the guard, which needs " % sys.version_info[:2] + "%d.%d or newer" % _OLDEST
    places = [settings["file"]] + (["/proc/%d/fd/%d" % tuple(settings["holder"])] if settings.get("holder") else [])
    for place in places:
        if os.path.exists(place):
            with open(place, "a") as file:
                file.write(json.dumps({"note": note}) + "\n")
            return


def _load():  # type: () -> ModuleType
    import importlib.util

    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    spec = importlib.util.spec_from_file_location(
        _PROBES, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules[_PROBES] = probes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(probes)
    return probes


def _import_shadowed():  # type: () -> None
    """Remove this folder from sys.path, and import the sitecustomize that Python would have imported without it.

    Without one this raises ModuleNotFoundError, which Python ignores, and nothing stays in `sys.modules`.
    """
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != own]
    sys.modules.pop("sitecustomize", None)
    import sitecustomize  # noqa: F401


_install()
_import_shadowed()
