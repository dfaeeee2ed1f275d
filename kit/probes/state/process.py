"""State of the whole process that is not in a module's namespace, and is read and set by functions."""

from __future__ import annotations

from contextvars import copy_context
from typing import Any, Callable, Dict, Iterator, Tuple

from ..objects import attribute, held_by
from ..own import gc, os, signal, sys, time
from ..own import own_builtins as __builtins__  # noqa: F401
from . import listeners, loggers
from .holders import LOCAL_HELD, SEQUENCE
from .mappings import MAPPING
from .values import ABSENT, Entries, Holder, Kind

_OF_SYS = (
    "stdin", "stdout", "stderr", "excepthook", "unraisablehook", "displayhook", "dont_write_bytecode", "tracebacklimit",
)  # fmt: skip
_HANDLERS = {0: "SIG_DFL", 1: "SIG_IGN"}


def holders() -> Iterator[Holder]:
    """Yield the holders of the process's state, under the names by which a program accesses it."""
    yield Holder("os.environ", None, _ENVIRONMENT)
    yield Holder("the process's ", None, _SETTINGS)
    for name in ("path", "argv", "meta_path", "path_hooks"):
        found = held_by(_module("sys")).get(name)
        if type(found) is list:
            yield Holder(f"sys.{name}", found, SEQUENCE)
    yield Holder("sys", None, _SYS)
    yield Holder("signal.getsignal", None, _SIGNALS)
    yield from loggers.holders()
    yield from listeners.holders()
    yield from _of_numpy()


def things() -> Iterator[Any]:
    """Yield the objects of these holders, which are also reachable through the names of libraries."""
    yield from (os.environ, attribute(os.environ, "_data"), sys.modules)
    yield from (holder.thing for holder in holders() if holder.kind in (SEQUENCE, MAPPING))


def modules() -> Holder:
    """Return the holder of sys.modules."""
    return Holder("sys.modules", sys.modules, MAPPING)


def _module(name: str) -> Any:
    return sys.modules.get(name)


# --- variables, working directory, and other settings with a getter and a setter --------------------------------------


def _read_environment(_: Any) -> Entries:
    return {f"[{name!r}]": value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def _write_environment(_: Any, label: str, value: Any) -> None:
    name = label[2:-2]
    if value is ABSENT:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _environment_asker(_: Any, label: str) -> Callable[[], Any]:
    data: Any = attribute(os.environ, "_data")
    key = os.environ.encodekey(label[2:-2])
    return lambda: data.get(key, ABSENT)


def _locale() -> Any:
    return _module("_locale").setlocale(_module("_locale").LC_ALL)


def _set_locale(value: Any) -> None:
    _module("_locale").setlocale(_module("_locale").LC_ALL, value)


_WINTER, _SUMMER = 1704110400, 1719835200  # moments of 2024
_VARIABLES: Dict[str, Any] = {}  # time zone -> TZ when it was seen first


def _zone() -> str:
    """Return the zone that the C library works with, which changes at tzset() alone and not with the variable TZ."""
    both = [time.localtime(moment) for moment in (_WINTER, _SUMMER)]
    said = " / ".join(dict.fromkeys(f"{at.tm_zone} (UTC{at.tm_gmtoff / 3600:+g})" for at in both))
    _VARIABLES.setdefault(said, os.environ.get("TZ"))
    return said


def _set_zone(value: Any) -> None:
    present = os.environ.get("TZ")
    _put_variable(_VARIABLES.get(value, present))
    time.tzset()
    _put_variable(present)


def _put_variable(value: Any) -> None:
    """Set TZ for the C library, past os.environ, so that nothing of this is noticed."""
    if value is None:
        os.unsetenv("TZ")
    else:
        os.putenv("TZ", value)


def _decimals() -> Any:
    """Return the context of decimals; without one the default, of which the program's first use will make one."""
    for variable, value in copy_context().items():
        if variable.name == "decimal_context":
            return value
    return held_by(_module("_decimal"))["DefaultContext"]


def _loop() -> Any:
    local = _of_policy()
    return _thread_held(local).get("_loop") if local is not None else None


def _set_loop(value: Any) -> None:
    local = _of_policy()
    if local is not None:
        held = _thread_held(local)
        held["_loop"], held["_set_called"] = value, value is not None


def _of_policy() -> Any:
    policy = held_by(_module("asyncio.events")).get("_event_loop_policy")
    return attribute(policy, "_local") if policy is not None else None


def _thread_held(local: Any) -> Dict[str, Any]:
    return LOCAL_HELD(local, "__dict__")  # type: ignore[no-any-return]


_LOOP_POLICY = "_event_loop_policy"
_ACCESSORS: Dict[str, Tuple[str, Callable[[], Any], Callable[[Any], None]]] = {
    # name -> the module that it needs, its getter and its setter
    "working directory": ("os", os.getcwd, os.chdir),
    "locale": ("_locale", _locale, _set_locale),
    "time zone": ("time", _zone, _set_zone),
    "decimal precision": ("_decimal", lambda: _decimals().prec, lambda value: setattr(_decimals(), "prec", value)),
    "decimal rounding": (
        "_decimal", lambda: _decimals().rounding, lambda value: setattr(_decimals(), "rounding", value),
    ),
    "recursion limit": ("sys", sys.getrecursionlimit, sys.setrecursionlimit),
    "garbage collection": ("gc", gc.isenabled, lambda value: gc.enable() if value else gc.disable()),
    "time-out of sockets": (
        "_socket", lambda: _module("_socket").getdefaulttimeout(),
        lambda value: _module("_socket").setdefaulttimeout(value),
    ),
    "event loop": ("asyncio.events", _loop, _set_loop),
    "event loop policy": (
        "asyncio.events", lambda: held_by(_module("asyncio.events")).get(_LOOP_POLICY),
        lambda value: held_by(_module("asyncio.events")).__setitem__(_LOOP_POLICY, value),
    ),
}  # fmt: skip


def _read_settings(_: Any) -> Entries:
    found = {}
    for name, (module, ask, _set) in _ACCESSORS.items():
        if _module(module) is not None:
            found[name] = ask()
    return found


def _setting_asker(_: Any, label: str) -> Callable[[], Any]:
    return _existing_folder if label == "working directory" else _ACCESSORS[label][1]


def _existing_folder() -> str:
    """Return the working directory. Raises FileNotFoundError if it was removed, which does not count as a change."""
    folder = os.getcwd()
    if not folder:
        raise FileNotFoundError("the working directory was removed")
    return folder


def _write_settings(_: Any, label: str, value: Any) -> None:
    _ACCESSORS[label][2](None if value is ABSENT else value)


def _read_sys(_: Any) -> Entries:
    held = held_by(_module("sys"))
    return {f".{name}": held[name] for name in _OF_SYS if name in held}


def _write_sys(_: Any, label: str, value: Any) -> None:
    if value is ABSENT:
        held_by(_module("sys")).pop(label[1:], None)
    else:
        held_by(_module("sys"))[label[1:]] = value


def _numbers() -> Dict[str, int]:
    """Return the numbers of the signals, by their labels."""
    known = held_by(_module("_signal"))
    return {f"(signal.{name})": known[name] for name in known if name[:3] == "SIG" and name[3:4].isupper()}


def _read_signals(_: Any) -> Entries:
    return {label: _handler(number) for label, number in _numbers().items()}


def _handler(number: int) -> Any:
    found = signal.getsignal(number)
    return _HANDLERS.get(found, found) if type(found) is int else found


def _signal_asker(_: Any, label: str) -> Callable[[], Any]:
    number = _numbers()[label]
    return lambda: _handler(number)


def _write_signal(_: Any, label: str, value: Any) -> None:
    """Restore a handler. Raises ValueError outside the main thread, TypeError for one that Python did not set."""
    signal.signal(_numbers()[label], {name: number for number, name in _HANDLERS.items()}.get(value, value))


# --- libraries that nearly every program shares -----------------------------------------------------------------------


def _of_numpy() -> Iterator[Holder]:
    random = _module("numpy.random.mtrand")
    if random is not None:
        yield Holder("numpy.random (its state)", held_by(random).get("_rand"), _NUMPY)


def _read_numpy(numbers: Any) -> Entries:
    name, keys, *rest = numbers.get_state()
    return {"": (name, keys.tobytes(), str(keys.dtype), *rest)}


def _write_numpy(numbers: Any, label: str, value: Any) -> None:
    name, keys, kind, *rest = value
    numbers.set_state((name, _module("numpy").frombuffer(keys, dtype=kind), *rest))


_ENVIRONMENT = Kind(_read_environment, _write_environment, asker=_environment_asker)
_SETTINGS = Kind(_read_settings, _write_settings, asker=_setting_asker)
_SYS = Kind(_read_sys, _write_sys)
_SIGNALS = Kind(_read_signals, _write_signal, asker=_signal_asker)
_NUMPY = Kind(_read_numpy, _write_numpy)
