"""Where the URL of an engine came from: variables, lines of settings files, and the objects that hold it."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .environ import EnvironmentProbe
from .frames import APPLICATION, owner
from .own import functools, gc, sys
from .own import own_builtins as __builtins__  # noqa: F401
from .places import place
from .settings_files import SettingsFiles

_ATTRIBUTES_AT_MOST = 200  # of one object
_HOLDERS_AT_MOST = 20


class Sources:
    """Compares a URL with all that the program can have taken it from. Without a probe, its part is None."""

    def __init__(self, environ: Optional[EnvironmentProbe], files: Optional[SettingsFiles]) -> None:
        self._environ, self._files = environ, files
        self._holders: Dict[str, Tuple[int, List[str]]] = {}  # by URL: how many modules there were, what was found

    def of(self, url: str, parts: Tuple[Optional[str], ...] = ()) -> Dict[str, Any]:
        """Return `variables` (names), `files` ([file, line, name]) and `held_by` (module.name.attribute)."""
        return {
            "variables": self._environ.sources_of(url, parts) if self._environ else None,
            "files": self._files.sources_of(url) if self._files else None,
            "held_by": self._held_by(url),
        }

    def _held_by(self, url: str) -> List[str]:
        loaded, holders = self._holders.get(url, (0, []))
        if loaded != len(sys.modules):
            holders = list(_holders(url))[:_HOLDERS_AT_MOST]
            self._holders[url] = len(sys.modules), holders
        return holders


def _holders(url: str) -> Iterator[str]:
    """Look for the URL in the application's modules: as a global, or on an object that is one or is cached by one."""
    wanted = place(url)
    if wanted is None:
        return
    for name, module in list(sys.modules.items()):
        file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
        if not isinstance(file, str) or owner(file) is not APPLICATION:
            continue
        for attribute, value in list(vars(module).items()):
            if isinstance(value, str):
                if place(value) == wanted:
                    yield f"{name}.{attribute}"
                continue
            for holder in _cached(value) if isinstance(value, functools._lru_cache_wrapper) else (value,):
                for inner, held in _attributes(holder):
                    if place(_text(held)) == wanted:
                        yield f"{name}.{attribute}{'()' if holder is not value else ''}.{inner}"


def _cached(function: Any) -> Iterator[Any]:
    """Give what a function of functools.lru_cache has kept, among other things of its own."""
    for kept in gc.get_referents(function):
        if isinstance(kept, dict):
            yield from kept.values()
        else:
            yield kept


def _attributes(holder: Any) -> List[Tuple[str, Any]]:
    """Return an object's own attributes, and its class's, where the class is the application's."""
    kind = holder if isinstance(holder, type) else type(holder)
    module = sys.modules.get(kind.__module__)
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or owner(file) is not APPLICATION:
        return []
    try:
        own = object.__getattribute__(holder, "__dict__")
    except AttributeError:
        return []
    found = {**vars(kind), **own}
    return list(found.items())[:_ATTRIBUTES_AT_MOST]


def _text(value: Any) -> str:
    """Return the text of a URL; of other values nothing, for asking them could run code of the application's."""
    if isinstance(value, str):
        return value
    kind = type(value)
    if kind.__module__.partition(".")[0] in ("pydantic", "pydantic_core", "sqlalchemy", "starlette", "databases"):
        render = getattr(value, "render_as_string", None)
        return str(render(hide_password=False)) if render is not None else str(value)
    return ""
