"""URL sources: the variables, the lines of settings files, and the objects that an engine's URL can come from."""

from __future__ import annotations

from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple

from .environ import EnvironmentProbe
from .frames import APPLICATION, owner
from .loaded import application_modules
from .objects import Notes, address, bases, held_by, is_a, module_of, name_of, qualname_of, space_of
from .own import functools, gc, sys
from .own import own_builtins as __builtins__  # noqa: F401
from .places import Place, place
from .redact import HIDDEN
from .settings_files import SettingsFiles

if TYPE_CHECKING:
    from .settings.probe import SettingsProbe

_ATTRIBUTES_AT_MOST = 200  # of one object
_HOLDERS_AT_MOST = 20
# Types by their addresses (their metaclass has no say): such a value is no URL, and holds none in an attribute.
_PLAIN = frozenset(
    map(
        address,
        (
            type(None), bool, int, float, complex, bytes, list, tuple, dict, set, frozenset, property, staticmethod,
            classmethod, FunctionType, BuiltinFunctionType, MethodType, ModuleType, GetSetDescriptorType,
            MemberDescriptorType,
        ),
    )
)  # fmt: skip
# Libraries' classes of URLs, and of texts that can be one. Others of theirs take long to be shown.
_OF_URLS = frozenset(
    ("pydantic.networks", "pydantic_core", "pydantic_core._pydantic_core", "starlette.datastructures", "databases.core")
)
_URLS = ("Url", "URL", "Dsn", "Secret")
_judged: "Notes[bool]" = Notes()  # class -> whether it is the application's


class Sources:
    """Compares a URL with all values that it can come from. Without the probe for it, a part of the result is None."""

    def __init__(self, environ: Optional[EnvironmentProbe], files: Optional[SettingsFiles]) -> None:
        self._environ, self._files = environ, files
        self.settings: Optional[SettingsProbe] = None
        self._holders: Dict[str, Tuple[int, List[str]]] = {}  # URL -> number of modules at the search, its result

    def of(self, url: str, parts: Tuple[Optional[str], ...] = ()) -> Dict[str, Any]:
        """Return `variables` (names), `files` ([file, line, name]), `held_by` (module.name.attribute) and `literal`."""
        literal = self.settings.read(url) if self.settings is not None else None
        return {
            "variables": self._environ.sources_of(url, parts) if self._environ else None,
            "files": self._files.sources_of(url) if self._files else None,
            "held_by": self._held_by(url),
            "literal": literal,
        }

    def _held_by(self, url: str) -> List[str]:
        loaded, holders = self._holders.get(url, (0, []))
        if loaded != len(sys.modules):
            holders = list(_holders(url))[:_HOLDERS_AT_MOST]
            self._holders[url] = len(sys.modules), holders
        return holders


def _holders(url: str) -> Iterator[str]:
    """Search the application's modules for the URL: in globals, and in attributes of objects in globals or caches."""
    wanted = place(url)
    if wanted is None:
        return
    for name, module in application_modules():
        for attribute, value in list(held_by(module).items()):
            if address(type(value)) in _PLAIN:
                continue
            if is_a(value, str):
                if _names(str.__str__(value), wanted):
                    yield f"{name}.{attribute}"
                continue
            for holder in _cached(value) if type(value) is functools._lru_cache_wrapper else (value,):
                for inner, held in _attributes(holder):
                    if address(type(held)) not in _PLAIN and _names(_text(held), wanted):
                        yield f"{name}.{attribute}{'()' if holder is not value else ''}.{inner}"


def _names(text: str, wanted: Place) -> bool:
    return "://" in text and place(text) == wanted


def _cached(function: Any) -> Iterator[Any]:
    """Yield the results that a functools.lru_cache wrapper keeps (and some internals of it)."""
    for kept in gc.get_referents(function):
        if type(kept) is dict:
            yield from kept.values()
        else:
            yield kept


def _attributes(holder: Any) -> List[Tuple[str, Any]]:
    """Return the attributes of an object and of its class, if the class is the application's."""
    kind = holder if is_a(holder, type) else type(holder)
    if not _is_the_applications(kind):
        return []
    found = {**space_of(kind), **(held_by(holder) if holder is not kind else {})}
    return list(found.items())[:_ATTRIBUTES_AT_MOST]


def _is_the_applications(kind: type) -> bool:
    known = _judged.get(kind)
    if known is None:
        module: Any = sys.modules.get(module_of(kind))
        file = held_by(module).get("__file__")
        known = type(file) is str and owner(file) is APPLICATION
        if type(file) is str:  # a module that is not there yet, or has no file yet, is looked at again
            _judged.set(kind, known)
    return known


def _text(value: Any) -> str:
    """Return the text of a URL; "" for a value whose conversion could run the application's code."""
    if is_a(value, str):
        return str.__str__(value)
    module, name = module_of(type(value)), qualname_of(type(value))
    if module.startswith("sqlalchemy."):
        return url_as_text(value) or ""
    return str(value) if module in _OF_URLS and name.endswith(_URLS) else ""


def url_as_text(url: Any) -> Optional[str]:
    """Return a SQLAlchemy URL as text, with its password; None for anything else.

    A password that is an object is masked: its `__str__` is the program's code and may return another text on each
    call.
    """
    if not is_a(url, tuple) or not {"sqlalchemy.engine.url.URL"} & set(map(name_of, bases(type(url)))):
        return None
    fields = dict(zip(("drivername", "username", "password", "host", "port", "database", "query"), tuple.__iter__(url)))
    if fields["password"] is not None and type(fields["password"]) is not str:
        url = url.set(password=HIDDEN)
    return str(url.render_as_string(hide_password=False))
