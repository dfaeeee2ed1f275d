"""What the interpreter itself tells of: files that are opened, modules that are executed, folders that are gone to,
and processes that are started.

An audit hook cannot be taken out. After removal it returns at once, and nothing more.
"""

from __future__ import annotations

from types import CodeType, FrameType, ModuleType
from typing import Any, Callable, Dict, Iterator, Mapping, Optional

from .environ import names_a_database, names_a_mode
from .frames import APPLICATION, absolute, owner
from .hooks import Hooks
from .own import os, sys
from .own import own_builtins as __builtins__  # noqa: F401
from .recorder import Recorder
from .settings_files import SettingsFiles

_listening: Dict[str, Callable[[Any], None]] = {}  # by the name of the interpreter's event
_hooked = False
_FROM_HERE_TO_THE_CALLER_OF_EXEC = 4  # frames: past the three through which an event is heard


class AuditProbe:
    """Notices settings files as they are read, a file of the application's that is executed a second time, and who
    changes the working directory, on which a relative path depends.
    """

    def __init__(self, recorder: Recorder, files: SettingsFiles) -> None:
        self._recorder, self._files = recorder, files
        self._busy = False
        self._executed: Dict[str, int] = {}

    def install(self, hooks: Hooks) -> None:
        global _hooked
        self._hooks = hooks
        _listening.update({
            "open": self._guarded(self._opened), "exec": self._guarded(self._executing),
            "os.chdir": self._guarded(self._changing_folder), "subprocess.Popen": self._guarded(self._starting),
        })
        hooks.on_removal(_listening.clear)
        if not _hooked:
            _hooked = True
            sys.addaudithook(_heard)

    def _guarded(self, listen: Callable[[Any], None]) -> Callable[[Any], None]:
        def listening(args: Any) -> None:
            if self._busy:  # the probes' own doing
                return
            self._busy = True
            try:
                listen(args)
            except Exception as error:  # it would be raised in the middle of the program under study
                self._hooks.failed("audit", error)
            finally:
                self._busy = False
        return listening

    def _opened(self, args: Any) -> None:
        path, mode = args[0], args[1]
        if isinstance(path, str) and (mode is None or "r" in mode):
            self._files.opened(path)

    def _changing_folder(self, args: Any) -> None:
        if isinstance(args[0], (str, bytes, os.PathLike)):
            before, path = os.getcwd(), os.path.abspath(os.fsdecode(args[0]))
            self._recorder.event("folder", apart=(before, path), path=path, before=before)

    def _starting(self, args: Any) -> None:
        """A process that gets an environment of its own may lack what this one's has."""
        environ = args[3]
        if not isinstance(environ, Mapping) or environ is os.environ:
            return
        given = {os.fsdecode(name): os.fsdecode(value) for name, value in environ.items()}
        held: Any = os.environ._data  # type: ignore[attr-defined]  # looking must not count as reading
        own = {os.environ.decodekey(name): os.environ.decodevalue(value) for name, value in held.items()}
        dropped = sorted(
            name for name, value in own.items()
            if (names_a_database(name, value) or names_a_mode(name)) and name not in given
        )
        watched = "ISOLATION_PROBES_DIR" in given
        if dropped or not watched:
            self._recorder.event(
                "child", apart=(str(args[0]), tuple(dropped)), program=os.path.basename(os.fsdecode(args[0])),
                dropped=dropped, watched=watched,
            )

    def _executing(self, args: Any) -> None:
        code = args[0]
        if type(code) is not CodeType or code.co_name != "<module>" or owner(code.co_filename) is not APPLICATION:
            return
        path = os.path.realpath(absolute(code.co_filename))
        count = self._executed[path] = self._executed.get(path, 0) + 1
        if count > 1 and os.path.isfile(path):
            name = _name_of_what_is_executed()
            self._recorder.event(
                "module", apart=(path,), file=path, name=name, times=count, reloaded=_is_reloading(),
                names=sorted({*_loaded_from(path), *([name] if name else ())}),
            )


def _heard(event: str, args: Any) -> None:
    listen = _listening.get(event)
    if listen is not None:
        listen(args)


def _name_of_what_is_executed() -> Optional[str]:
    """Return the name of the module whose code is about to run, as the import system or a stand-in of it holds it."""
    for value in sys._getframe(_FROM_HERE_TO_THE_CALLER_OF_EXEC).f_locals.values():
        if isinstance(value, ModuleType):
            return value.__name__
        for space in value if isinstance(value, tuple) else (value,):
            if isinstance(space, dict) and isinstance(space.get("__name__"), str):
                return str(space["__name__"])
    return None


def _is_reloading() -> bool:
    frame: Optional[FrameType] = sys._getframe(_FROM_HERE_TO_THE_CALLER_OF_EXEC)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(("importlib", "_frozen_importlib")):
        if frame.f_code.co_name == "reload":
            return True
        frame = frame.f_back
    return False


def _loaded_from(path: str) -> Iterator[str]:
    for name, module in list(sys.modules.items()):
        file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
        if not isinstance(file, str) or os.path.basename(file) != os.path.basename(path):
            continue
        if os.path.realpath(file) == path:
            yield name
