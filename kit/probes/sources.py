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
from .own import functools, gc, itertools, sys
from .own import own_builtins as __builtins__  # noqa: F401
from .places import Place, place
from .redact import HIDDEN
from .settings_files import SettingsFiles

if TYPE_CHECKING:
    from .settings.probe import SettingsProbe

_ATTRIBUTES_AT_MOST = 200  # of one object
_HOLDERS_AT_MOST = 20
# Such a value is no URL, and holds none in an attribute.
_PLAIN = (
    type(None), bool, int, float, complex, bytes, list, tuple, dict, set, frozenset, property, staticmethod,
    classmethod, FunctionType, BuiltinFunctionType, MethodType, ModuleType, GetSetDescriptorType, MemberDescriptorType,
)  # fmt: skip
# Libraries' classes of URLs, and of texts that can be one. Others of theirs take long to be shown.
_OF_URLS = frozenset(
    ("pydantic.networks", "pydantic_core", "pydantic_core._pydantic_core", "starlette.datastructures", "databases.core")
)
_URLS = ("Url", "URL", "Dsn", "Secret")
_judged: "Notes[bool]" = Notes()  # class -> whether it is the application's
# A search passes over most values by the address of a class, without a call for each.
_foreign: "Notes[bool]" = Notes()  # classes that are not the application's
_empty: "Notes[bool]" = Notes()  # classes whose instances are no text, and hold none that is searched
_textless: "Notes[bool]" = Notes()  # classes whose instances are no text of a URL

for _kind in _PLAIN:
    _empty.set(_kind, True)
    _textless.set(_kind, True)


class Sources:
    """Compares a URL with all values that it can come from. Without the probe for it, a part of the result is None."""

    def __init__(self, environ: Optional[EnvironmentProbe], files: Optional[SettingsFiles]) -> None:
        self._environ, self._files = environ, files
        self.settings: Optional[SettingsProbe] = None

    def of(self, url: str, parts: Tuple[Optional[str], ...] = ()) -> Dict[str, Any]:
        """Return `variables` (names), `files` ([file, line, name]), `held_by` (module.name.attribute) and `literal`."""
        literal = self.settings.read(url) if self.settings is not None else None
        return {
            "variables": self._environ.sources_of(url, parts) if self._environ else None,
            "files": self._files.sources_of(url) if self._files else None,
            "held_by": holders(url),
            "literal": literal,
        }


def holders(url: str) -> List[str]:
    """Search the application's modules for the URL: in globals, and in attributes of objects in globals or caches.

    Everything is looked at again each time: an interpreter does not tell that a value was replaced.
    """
    wanted = place(url)
    return [] if wanted is None else list(itertools.islice(_holders(wanted), _HOLDERS_AT_MOST))


def _holders(wanted: Place) -> Iterator[str]:
    searched: Dict[int, Tuple[Any, List[str]]] = {}  # address of a value -> itself, which many modules hold; its ways
    for name, attribute, value in _worth_a_look():
        known = searched.get(address(value))
        if known is None:
            known = searched[address(value)] = value, _ways(value, wanted)
        for way in known[1]:
            yield f"{name}.{attribute}{way}"


def _ways(value: Any, wanted: Place) -> List[str]:
    """Return what follows a global's name on the way to the URL: "" if it is the global's value."""
    if is_a(value, str):
        return [""] if _names(str.__str__(value), wanted) else []
    if type(value) is not functools._lru_cache_wrapper:
        return [f".{name}" for name in _attributes_with(value, wanted)]
    return [f"().{name}" for holder in _cached(value) for name in _attributes_with(holder, wanted)]


def _worth_a_look() -> List[Tuple[str, str, Any]]:
    """Return the globals of the application, without those that certainly neither are a URL nor hold one.

    This passes over all globals of a program: it calls nothing written in Python for them, and makes no objects, of
    which each thousand would have Python look for garbage.
    """
    found = [(name, held_by(module).copy()) for name, module in application_modules()]
    foreign, empty = _foreign.addresses(), _empty.addresses()
    return [
        (name, attribute, value) for name, held in found for attribute, value in held.items()
        if (
            "://" in value if type(value) is str
            else address(type(value)) not in empty and address(value) not in foreign
        )
    ]  # fmt: skip


def _attributes_with(holder: Any, wanted: Place) -> List[str]:
    found = _attributes(holder)
    textless = _textless.addresses()
    texts = [
        (name, value) for name, value in itertools.islice(found.items(), _ATTRIBUTES_AT_MOST)
        if ("://" in value if type(value) is str else address(type(value)) not in textless)
    ]  # fmt: skip
    return [name for name, value in texts if _names(_text(value), wanted)]


def _names(text: str, wanted: Place) -> bool:
    return "://" in text and place(text) == wanted


def _cached(function: Any) -> Iterator[Any]:
    """Yield the results that a functools.lru_cache wrapper keeps (and some internals of it)."""
    for kept in gc.get_referents(function):
        if type(kept) is dict:
            yield from kept.values()
        else:
            yield kept


def _attributes(holder: Any) -> Dict[str, Any]:
    """Return a copy of the attributes of an object and of its class, if the class is the application's."""
    is_class = is_a(holder, type)
    kind = holder if is_class else type(holder)
    if not _is_the_applications(kind):
        if _judged.get(kind) is False and type(holder) is not functools._lru_cache_wrapper and not is_a(holder, str):
            (_foreign if is_class else _empty).set(kind, True)
        return {}
    found: Dict[str, Any] = space_of(kind).copy()
    if not is_class:
        found.update(held_by(holder))
    return found


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
    kind = type(value)
    if module_of(kind) in _OF_URLS and qualname_of(kind).endswith(_URLS):
        return str(value)
    if module_of(kind).startswith("sqlalchemy."):
        text = url_as_text(value)
        if text is not None:
            return text
    _textless.set(kind, True)
    return ""


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
