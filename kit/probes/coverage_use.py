"""coverage: its report has no file of the probes, which run in the program's interpreter and are no part of it.

Where the kit is installed from a clone, its files are not among the installed packages that coverage leaves out by
itself. It is told to leave them out, and what it measured of them before that (it may begin before the probes do) is
dropped when it is about to be stored.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Dict, Mapping, Optional

from .hooks import Hooks
from .own import os
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly

_PROBES = os.path.dirname(os.path.realpath(__file__)) + os.sep
_KIT = os.path.dirname(_PROBES.rstrip(os.sep)) + os.sep
_GUARD = tuple(os.path.join(_KIT, name) for name in (f"guard{os.sep}", "workfolder.py", "__init__.py"))


class CoverageProbe:
    """Keeps the files of the probes, and with `guard` those that the guard imports, out of what coverage stores.

    If `source` names the kit's folder or one in it, as in a measurement of the kit, they stay.
    """

    def __init__(self, guard: bool = False) -> None:
        self._folders = (_PROBES, *_GUARD) if guard else (_PROBES,)
        self._is_asked_for = False

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("coverage.inorout", self._watch_choice)
        hooks.when_imported("coverage.sqldata", self._watch_storing)
        hooks.when_imported("coverage.control", self._ask_what_runs)

    def _ask_what_runs(self, _: ModuleType) -> None:
        """Ask a measurement that began before the probes now: it may have chosen all of their files already."""
        self._are_measured()

    def _watch_choice(self, inorout: ModuleType) -> None:
        probe = self

        def choosing(original: Any) -> Any:
            def should_trace(*args: Any, **kwargs: Any) -> Any:
                chosen = original(*args, **kwargs)
                probe._leave_out(chosen)
                return chosen
            return should_trace

        self._hooks.replace(vars(inorout)["InOrOut"], "should_trace", choosing)

    @quietly
    def _leave_out(self, chosen: Any) -> None:
        if chosen.trace and self._is_ours(chosen.source_filename) and not self._are_measured():
            chosen.trace, chosen.reason = False, "is part of the probes"

    def _watch_storing(self, sqldata: ModuleType) -> None:
        probe = self

        def adding(original: Any) -> Any:
            def add(data: Any, *args: Any, **kwargs: Any) -> Any:
                given = (*args, *kwargs.values())
                left = probe._without_probes(*given)
                if left is None:  # it stays as it is, or this coverage stores otherwise
                    return original(data, *args, **kwargs)
                if left or not given[0]:  # nothing is stored where nothing would have been measured
                    return original(data, left)
                return None
            return add

        for name in ("add_lines", "add_arcs"):
            self._hooks.replace(vars(sqldata)["CoverageData"], name, adding)

    @quietly
    def _without_probes(self, measured: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
        """Return what was measured, by file, without the probes; None to leave it as it is."""
        from coverage.files import relative_directory

        if self._are_measured():
            return None
        base = relative_directory()
        return {name: found for name, found in measured.items() if not self._is_ours(os.path.join(base, name))}

    def _is_ours(self, file: str) -> bool:
        return os.path.realpath(file).startswith(self._folders)

    def _are_measured(self) -> bool:
        """Return whether the last measurement that ran names the kit's own folder as what is to be measured."""
        from coverage.control import Coverage

        running = Coverage.current()
        if running is not None:  # none is when it has ended, and stores what it has
            sources: Any = running.get_option("run:source") or ()
            self._is_asked_for = any(f"{os.path.realpath(str(one))}{os.sep}".startswith(_KIT) for one in sources)
        return self._is_asked_for
