"""Recognizes values that name a database, and enumerates the objects that hold such values."""

from __future__ import annotations

from types import FunctionType, MappingProxyType, MemberDescriptorType, ModuleType
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional, Tuple

from ..environ import names_a_database
from ..frames import APPLICATION, owner
from ..objects import address, bases, held_by, is_a, module_of, name_of, path_of, pointer_to, space_of
from ..own import functools, gc, re, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from ..places import URL, place
from ..sources import url_as_text

ABSENT: Any = object()
Ask = Callable[[], Any]

# Compared by address, since a metaclass can override `__eq__`.
_PLAIN = frozenset(map(address, (
    int, float, bool, bytes, complex, list, tuple, set, frozenset, FunctionType, ModuleType,
)))  # fmt: skip
_URLS = ("sqlalchemy", "pydantic", "pydantic_core", "starlette", "databases")
_IN_MEMORY = ":memory:"
_LONGEST = 500  # characters of a text that names a database
_ENTRIES_AT_MOST = 200  # of one mapping or object
# Objects of these packages are large, and hold no settings of the program.
_NOT_LOOKED_INTO = frozenset((
    "_pytest", "pytest", "pluggy", "sqlalchemy", "jinja2", "logging", "threading", "asyncio", "re", "typing", "enum",
    "pydantic_core", "importlib", "unittest", "_thread", "concurrent", "anyio", "httpx", "click", "werkzeug",
    __name__.partition(".")[0],
))  # fmt: skip
_OF_A_URL = re.compile(r"(?i)(^|_)(ur[il]|dsn)$")
_CONFIGURATION = re.compile(r"(?i)(config|settings|conf)(['\"]\])?$")
_PROVIDERS = "dependency_injector.providers."
_OF_INJECTOR = f"{_PROVIDERS}Configuration"


class Part(NamedTuple):
    """An item of an object: the suffix that leads to it from the object's name, its key, its value, and a getter."""

    suffix: str
    key: str
    value: Any
    ask: Ask


def text_of_setting(key: str, value: Any) -> Optional[str]:
    """Return the text of a value that names a database; "" for a None whose key names one; None for anything else."""
    if value is None:
        return "" if names_a_database(key) or _OF_A_URL.search(key) else None
    text = _text(value)
    if text is None or not text or len(text) > _LONGEST:
        return None
    if text == _IN_MEMORY or names_a_database("", text) or URL.match(text):
        return text
    return text if names_a_database(key) and not re.search(r"\s", text) else None


def _text(value: Any) -> Optional[str]:
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if address(kind) in _PLAIN or is_a(value, type):
        return None
    if is_a(value, str):
        return str.__str__(value)
    package = module_of(kind).partition(".")[0]
    if package == "pathlib":
        return path_of(value)
    if package == "sqlalchemy":
        return url_as_text(value)
    return str(value) if package in _URLS and kind.__name__.endswith(("Url", "URL", "Dsn")) else None


def names(text: str, url: str) -> bool:
    """Return whether a text and a URL name the same database; the text may be a relative path to the URL's file."""
    one, other = (place(one if "://" in one else f"sqlite:///{one}") for one in (text, url))
    if one is None or other is None or one[:3] != other[:3]:
        return False
    path = one[3][1:] if not any(one[:3]) else ""
    return one[3] == other[3] or (bool(path) and other[3].endswith(f"/{path}"))


def is_configuration(name: str) -> bool:
    """Return whether a name is one of configuration, which may name a database later."""
    return _CONFIGURATION.search(name) is not None


def parts_of(thing: Any) -> Optional[Iterator[Part]]:
    """Yield the items of an object without running its code; None for objects that are not searched."""
    kind = type(thing)
    if kind is str or thing is None or address(kind) in _PLAIN:
        return None
    if is_a(thing, dict):
        return _of_mapping(thing) if dict.__len__(thing) <= _ENTRIES_AT_MOST else None
    if kind is functools._lru_cache_wrapper:
        return _of_cache(thing)
    if is_a(thing, type):
        return _of_class(thing) if is_the_applications(thing) else None
    if name_of(kind) == _OF_INJECTOR:
        return _of_configuration(thing)
    if is_the_applications(kind) or module_of(kind).partition(".")[0] not in _NOT_LOOKED_INTO:
        return _of_instance(thing) if len(held_by(thing)) <= _ENTRIES_AT_MOST else None
    return None


def size_of(thing: Any) -> Optional[Callable[[], int]]:
    """Return a function that counts an object's items, to notice additions; None for objects that are not counted."""
    if is_a(thing, dict):
        return functools.partial(dict.__len__, thing)
    if name_of(type(thing)) == _OF_INJECTOR:
        return functools.partial(_count_provided, thing)
    return None


def is_the_applications(kind: type) -> bool:
    """Return whether a class is the application's own."""
    module: Any = sys.modules.get(module_of(kind))
    file = held_by(module).get("__file__") if is_a(module, ModuleType) else None
    return type(file) is str and owner(file) is APPLICATION


def _of_mapping(mapping: Dict[Any, Any]) -> Iterator[Part]:
    for key, value in list(dict.items(mapping)):
        if type(key) is str:
            yield Part(f"[{key!r}]", key, value, functools.partial(dict.get, mapping, key, ABSENT))


def _of_class(kind: type) -> Iterator[Part]:
    space: MappingProxyType[str, Any] = space_of(kind)
    for name, value in list(space.items()):
        if not name.startswith("__"):
            yield Part(f".{name}", name, value, functools.partial(space.get, name, ABSENT))


def _of_instance(thing: Any) -> Iterator[Part]:
    pointer = pointer_to(thing)
    get: Ask = pointer if pointer is not None else functools.partial(_itself, thing)
    twice = "providers" if module_of(type(thing)) == "dependency_injector.containers" else ""
    for name, value in list(held_by(thing).items()):
        if type(name) is str and name != twice:
            yield Part(f".{name}", name, value, functools.partial(_held, get, name))
    for name, slot in _slots(type(thing)):
        value = _in_slot(functools.partial(_itself, thing), slot)
        if value is not ABSENT:
            yield Part(f".{name}", name, value, functools.partial(_in_slot, get, slot))


def _slots(kind: type) -> Iterator[Tuple[str, Any]]:
    for base in bases(kind):
        if module_of(base) != "builtins":
            for name, slot in list(space_of(base).items()):
                if type(slot) is MemberDescriptorType and not name.startswith("__"):
                    yield name, slot


def _itself(thing: Any) -> Any:
    return thing


def _held(get: Ask, name: str) -> Any:
    return held_by(get()).get(name, ABSENT)


def _in_slot(get: Ask, slot: Any) -> Any:
    try:
        return slot.__get__(get())
    except (AttributeError, TypeError):  # the slot is empty, or its object was collected
        return ABSENT


def _of_cache(function: Any) -> Iterator[Part]:
    """Yield the objects in the cache of a functools.lru_cache function."""
    for kept in gc.get_referents(function):
        for value in list(kept.values()) if type(kept) is dict else (kept,):
            if is_the_applications(type(value)):
                yield Part("()", "", value, functools.partial(_itself, value))


def _of_configuration(provider: Any) -> Iterator[Part]:
    """Yield the items of a dependency_injector Configuration, read again from its mapping each time."""
    held = _configured(provider)
    yield from _of_provided(provider, held, ()) if type(held) is dict else ()


def _of_provided(provider: Any, held: Dict[Any, Any], keys: Tuple[str, ...]) -> Iterator[Part]:
    for key, value in list(held.items())[:_ENTRIES_AT_MOST]:
        if type(key) is not str:
            continue
        path = (*keys, key)
        if type(value) is dict:
            yield from _of_provided(provider, value, path)
        else:
            yield Part("".join(f".{one}" for one in path), key, value, functools.partial(_provided, provider, path))


def _configured(provider: Any) -> Any:
    """Return the mapping of a Configuration, or of the Object provider that overrides it, without calling any of them.

    None if another kind of provider overrides it, since that would run the program's code.
    """
    held = gc.get_referents(provider)
    over = next((one for one in held if name_of(type(one)).startswith(_PROVIDERS)), None)
    if over is not None:
        held = gc.get_referents(over) if name_of(type(over)) == f"{_PROVIDERS}Object" else []
    return next((one for one in held if type(one) is dict), None)


def _count_provided(provider: Any) -> int:
    return sum(1 for _ in _of_configuration(provider))


def _provided(provider: Any, keys: Tuple[str, ...]) -> Any:
    held = _configured(provider)
    for key in keys:
        held = held.get(key, ABSENT) if type(held) is dict else ABSENT
    return held
