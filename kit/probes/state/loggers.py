"""Loggers and handlers, identified by name: a logger made in a test is compared with a new one."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Optional

from ..objects import attribute, held_by
from ..own import own_builtins as __builtins__  # noqa: F401
from ..own import sys
from .mappings import MAPPING
from .values import ABSENT, Content, Entries, Holder, Kind, Parts

NEW: Entries = {  # the state of a logger that nobody has configured
    ".level": 0, ".disabled": False, ".propagate": True, ".handlers": Content([]), ".filters": Content([]),
}  # fmt: skip
_OF_A_HANDLER = ("level", "formatter", "stream", "filters", "_name", "baseFilename")
_OF_THE_MODULE = ("_loggerClass", "_logRecordFactory", "raiseExceptions", "lastResort", "_warnings_showwarning")
_OF_THE_MANAGER = ("_disable", "disable", "loggerClass", "logRecordFactory")
_LISTS = ("handlers", "filters")
_ROOT, _NAMED = "logging.root", "logging.getLogger("


def holders() -> Iterator[Holder]:
    """Yield the loggers, their handlers, and the state that they share."""
    manager = _manager()
    if manager is None:
        return
    yield Holder("logging", sys.modules["logging"], _some(_OF_THE_MODULE))
    yield Holder("logging.root.manager", manager, _some(_OF_THE_MANAGER))
    for name in ("_levelToName", "_nameToLevel"):
        yield Holder(f"logging.{name}", held_by(sys.modules["logging"]).get(name, {}), MAPPING)
    for called, logger in _loggers(manager).items():
        yield Holder(called, called, LOGGER)
        for number, handler in enumerate(list(held_by(logger)["handlers"])):
            yield Holder(f"{called}.handlers[{number}]", handler, _some(_OF_A_HANDLER))


def names() -> Optional[Holder]:
    """Return the holder of the dict of loggers; None if logging is not imported."""
    manager = _manager()
    return None if manager is None else Holder("logging.root.manager.loggerDict", _known(manager), MAPPING)


def named(called: str) -> Optional[Holder]:
    """Return the holder of a logger, even of one that does not exist yet; None if the name is not a logger's."""
    is_one = called == _ROOT or (called.startswith(_NAMED) and called.endswith(")"))
    return Holder(called, called, LOGGER) if is_one else None


def _manager() -> Any:
    root = held_by(sys.modules.get("logging")).get("root")
    return None if root is None else attribute(root, "manager")


def _known(manager: Any) -> Dict[str, Any]:
    return attribute(manager, "loggerDict") or {}


def _loggers(manager: Any) -> Dict[str, Any]:
    """Return the loggers by name, without placeholders."""
    found = {_ROOT: held_by(sys.modules["logging"])["root"]}
    for name, logger in list(_known(manager).items()):
        if "handlers" in held_by(logger):
            found[f"{_NAMED}{name!r})"] = logger
    return found


def _read(called: str) -> Entries:
    manager = _manager()
    logger = None if manager is None else _loggers(manager).get(called)
    if logger is None:
        return dict(NEW)
    held = held_by(logger)
    return {
        label: Content(list(held[label[1:]])) if label[1:] in _LISTS else held[label[1:]]
        for label in NEW if label[1:] in held
    }  # fmt: skip


def _write(called: str, label: str, value: Any) -> None:
    logger = _loggers(_manager()).get(called)
    if logger is not None:
        _write_held(logger, label, value)
        _clear_level_caches(_manager())


def _clear_level_caches(manager: Any) -> None:
    """Clear the loggers' caches of enabled levels, since a restored level would be ignored otherwise."""
    for logger in _loggers(manager).values():
        cached = held_by(logger).get("_cache")
        if type(cached) is dict:
            dict.clear(cached)


def _write_held(thing: Any, label: str, value: Any) -> None:
    if value is ABSENT:
        held_by(thing).pop(label[1:], None)
    elif type(value) is Content:
        held_by(thing)[label[1:]][:] = value.values
    else:
        held_by(thing)[label[1:]] = value


def _some(wanted: Any) -> Kind:
    """Return a kind that reads only these attributes."""
    def read(thing: Any) -> Entries:
        held = held_by(thing)
        return {
            f".{name}": Content(list(held[name])) if name in _LISTS else held[name] for name in wanted if name in held
        }

    return Kind(read, _write_held)


def _asker(called: str, label: str) -> Callable[[], Any]:
    known: Any = _known(_manager())
    root = held_by(sys.modules["logging"])["root"]
    name, part = called[len(_NAMED) + 1 : -2], label[1:]

    def ask() -> Any:
        held = held_by(root if called == _ROOT else known.get(name))
        value = held.get(part, ABSENT)
        if part in _LISTS:
            return Parts(() if value is ABSENT else value)
        return NEW[label] if value is ABSENT else value

    return ask


LOGGER = Kind(_read, _write, asker=_asker)
