"""What the probes call, taken hold of as they are loaded, before the program's own code runs.

A test replaces `os.stat`, `time.perf_counter` or `builtins.open`, freezes the clock, fakes the file system. None of it
must reach the probes, and none of their calls must reach it: a mock counts its calls. So a probe imports from here

    from .own import own_builtins as __builtins__  # of which `open`, `len` and `import` in that module are then taken
    from .own import os, sys, time                 # as the modules were; used as they are

and imports none of these modules itself (`tests/probes/test_own.py` has the rule). They are no modules, but objects
that hold what the modules held: tools that go through all modules to put in their own (freezegun, pyfakefs) find
nothing here. A function of theirs that is written in Python is a copy that looks up what it calls here, too.
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

    __builtins__ = own_builtins = dict(vars(_builtins))

    def _held(module: ModuleType, **instead: Any) -> Any:
        """Return an object with what a module holds; `instead` stands in for parts of it, to its own functions too."""
        held = SimpleNamespace(**{**vars(module), **instead, "__builtins__": __builtins__})
        _take_in(held, module)
        return held

    def _take_in(held: Any, module: ModuleType) -> None:
        """Have a module's functions that are written in Python look up what they call in what is held."""
        for name, value in vars(module).items():
            if type(value) is FunctionType and value.__globals__ is vars(module) and vars(held)[name] is value:
                copy = FunctionType(value.__code__, vars(held), name, value.__defaults__, value.__closure__)
                copy.__kwdefaults__ = value.__kwdefaults__
                vars(held)[name] = copy

    class _System(SimpleNamespace):
        """`sys`. What a program may well replace (its arguments, its finders) is as it is now, all else as it was."""

        argv = property(lambda _: vars(_sys).get("argv", []))
        meta_path = property(lambda _: vars(_sys).get("meta_path", []))
        path = property(lambda _: vars(_sys).get("path", []))

    def _getcwd() -> str:
        """Return the working directory; "" where it was deleted."""
        try:
            return _working_directory()
        except OSError:
            return ""

    def _main_thread() -> Any:
        return vars(_threading)["_main_thread"]  # another one after a fork out of a thread

    def _current_thread() -> Any:
        """Return the thread that runs; None for one that Python did not start (asking would make it known)."""
        running = _running_threads.get(_thread.get_ident())
        if running is None and "gevent" in _sys.modules:  # its threads are greenlets, known by numbers of their own
            get_ident = vars(_threading)["get_ident"]
            if str(getattr(get_ident, "__module__", "")).startswith("gevent"):
                running = _running_threads.get(get_ident())
        return running

    _running_threads = _threading._active
    _working_directory = _os.getcwd
    _in_c = vars(_sys.modules.get(_os.name, _os))  # `posix` or `nt`, from which `os` has what is not Python's
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
    signal = _held(_signal)  # `signal` itself makes enumerations of what it is given
    threading = SimpleNamespace(
        RLock=_thread.RLock, Thread=_threading.Thread, get_ident=_thread.get_ident, main_thread=_main_thread,
        current_thread=_current_thread, local=_thread._local,
    )
