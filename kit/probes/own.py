"""The functions that probes call, saved when the probes are loaded, before the program's own code runs.

A test may replace `os.stat`, `time.perf_counter` or `builtins.open`, freeze the clock, or fake the file system. That
must not affect the probes, and their calls must not reach a mock, which counts its calls. So a probe imports

    from .own import own_builtins as __builtins__  # `open`, `len`, `import` in its module are then the saved ones
    from .own import os, sys, time                 # copies of the modules, with the same usage

and never these modules themselves (`tests/probes/test_own.py` checks that). The copies are no modules, so tools that
patch every loaded module (freezegun, pyfakefs) do not find them. Functions written in Python are copied with globals
that lead to the saved functions, too.
"""

from __future__ import annotations

from types import FunctionType, ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import atexit as atexit
    import builtins as builtins
    import collections as collections
    import functools as functools
    import gc as gc
    import importlib as importlib
    import io as io
    import itertools as itertools
    import json as json
    import os as os
    import re as re
    import resource as resource
    import select as select
    import signal as signal
    import sys as sys
    import threading as threading
    import time as time
    import types as types
    from typing import Dict

    own_builtins: Dict[str, Any]

else:
    import _signal
    import _thread
    import atexit as _atexit
    import builtins as _builtins
    import collections as _collections
    import functools as _functools
    import gc as _gc
    import genericpath as _genericpath
    import importlib as _importlib
    import io as _io
    import itertools as _itertools
    import json as _json
    import os as _os
    import re as _re
    import select as _select
    import sys as _sys
    import threading as _threading
    import time as _time
    import types as _types

    try:
        import resource as _resource
    except ImportError:  # where there are no such limits
        _resource = None

    __builtins__ = own_builtins = dict(vars(_builtins))

    def _held(module: ModuleType, **instead: Any) -> Any:
        """Return a copy of a module; `instead` replaces some of its functions, for its other functions, too."""
        held = SimpleNamespace(**{**vars(module), **instead, "__builtins__": __builtins__})
        _take_in(held, module)
        return held

    def _take_in(held: Any, module: ModuleType) -> None:
        """Copy the Python functions of a module so that their globals are the copied module's."""
        for name, value in vars(module).items():
            if type(value) is FunctionType and value.__globals__ is vars(module) and vars(held)[name] is value:
                copy = FunctionType(value.__code__, vars(held), name, value.__defaults__, value.__closure__)
                copy.__kwdefaults__ = value.__kwdefaults__
                vars(held)[name] = copy

    class _System(SimpleNamespace):
        """`sys`: attributes that a program may replace (argv, finders) as they are now, all others as saved."""

        argv = property(lambda _: vars(_sys).get("argv", []))
        meta_path = property(lambda _: vars(_sys).get("meta_path", []))
        path = property(lambda _: vars(_sys).get("path", []))

    def _getcwd() -> str:
        """Return the working directory; "" if it was deleted."""
        try:
            return _working_directory()
        except OSError:
            return ""

    def _main_thread() -> Any:
        return vars(_threading)["_main_thread"]  # another thread after a fork in one

    def _current_thread() -> Any:
        """Return the current thread; None for one that Python did not start, without registering a dummy for it."""
        running = _running_threads.get(_thread.get_ident())
        if running is None and "gevent" in _sys.modules:  # its threads are greenlets with ids of their own
            get_ident = vars(_threading)["get_ident"]
            if str(getattr(get_ident, "__module__", "")).startswith("gevent"):
                running = _running_threads.get(get_ident())
        return running

    _running_threads = _threading._active
    _working_directory = _os.getcwd
    _in_c = vars(_sys.modules.get(_os.name, _os))  # `posix` or `nt`, the C part of `os`
    _of_os = {name: _in_c[name] for name in vars(_os).keys() & _in_c.keys() - {"environ"} if name[:2] != "__"}

    sys = _System(**vars(_sys))
    os = _held(_os, **{**_of_os, "sys": sys, "getcwd": _getcwd})
    _generic = _held(_genericpath, os=os)
    _of_generic = {
        name: held for name, held in vars(_generic).items()
        if name[:2] != "__" and vars(_os.path).get(name) is vars(_genericpath).get(name)
    }
    os.path = _held(_os.path, **{**_of_generic, "os": os, "sys": sys, "genericpath": _generic})
    time, io, gc, types, itertools = _held(_time), _held(_io), _held(_gc), _held(_types), _held(_itertools)
    functools, re, atexit, importlib = _held(_functools), _held(_re), _held(_atexit), _held(_importlib)
    builtins = _held(_builtins)
    collections = SimpleNamespace(deque=_collections.deque, OrderedDict=_collections.OrderedDict)
    json = _held(_json)
    select = _held(_select)
    resource = _held(_resource) if _resource is not None else None
    signal = _held(_signal)  # `signal` converts its arguments to enums
    threading = SimpleNamespace(
        RLock=_thread.RLock, Thread=_threading.Thread, get_ident=_thread.get_ident, main_thread=_main_thread,
        current_thread=_current_thread, local=_thread._local,
    )
