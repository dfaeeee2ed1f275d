"""Audit events: files opened, modules executed, working directories changed, processes started."""

from __future__ import annotations

from types import CodeType, FrameType, ModuleType
from typing import Any, Callable, Dict, Iterator, Optional, Set

from .audited import listen
from .environ import names_a_database, names_a_mode
from .frames import APPLICATION, absolute, owner
from .hooks import Hooks
from .objects import held_by, is_a, path_of, text_of
from .own import os, sys, threading
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly
from .recorder import Recorder
from .settings_files import SettingsFiles

_FRAMES_TO_CALLER_OF_EXEC = 5  # frames, after the four of the listener itself


class AuditProbe:
    """Records settings files that are read, application files that are executed more than once, and changes of the
    working directory, on which relative paths depend.
    """

    def __init__(self, recorder: Recorder, files: SettingsFiles) -> None:
        self._recorder, self._files = recorder, files
        self._busy: Set[int] = set()  # threads
        self._executed: Dict[str, int] = {}

    def install(self, hooks: Hooks) -> None:
        for event, heard in (
            ("open", self._opened), ("exec", self._executing), ("os.chdir", self._changing_folder),
            ("subprocess.Popen", self._starting),
        ):
            hooks.on_removal(listen(event, self._guarded(heard)))

    def _guarded(self, heard: Callable[[Any], None]) -> Callable[[Any], None]:
        """Wrap a listener: its exceptions must not reach the program, and it must not hear the probes' own events."""
        heard, busy = quietly(heard), self._busy

        def listening(args: Any) -> None:
            thread = threading.get_ident()
            if thread in busy:  # caused by the probes
                return
            busy.add(thread)
            try:
                heard(args)
            finally:
                busy.discard(thread)
        return listening

    def _opened(self, args: Any) -> None:
        path, mode = text_of(args[0]), text_of(args[1])
        if path is not None and (mode is None or "r" in mode):
            self._files.opened(path)

    def _changing_folder(self, args: Any) -> None:
        path = path_of(args[0])
        if path is not None:
            before, path = os.getcwd(), os.path.abspath(path)
            self._recorder.event("folder", apart=(before, path), path=path, before=before)

    def _starting(self, args: Any) -> None:
        """Record a process whose own environment lacks variables that this one has."""
        environ, program = args[3], path_of(args[0]) or "?"
        if not is_a(environ, dict):
            return
        given = {path_of(name): path_of(value) for name, value in dict.items(environ)}
        held: Any = os.environ._data  # type: ignore[attr-defined]  # reading os.environ itself would be recorded
        own = {os.environ.decodekey(name): os.environ.decodevalue(value) for name, value in held.items()}
        dropped = sorted(
            name for name, value in own.items()
            if (names_a_database(name, value) or names_a_mode(name)) and name not in given
        )
        watched = "ISOLATION_PROBES_DIR" in given
        if dropped or not watched:
            self._recorder.event(
                "child", apart=(program, tuple(dropped)), program=os.path.basename(program), dropped=dropped,
                watched=watched,
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


def _name_of_what_is_executed() -> Optional[str]:
    """Return the name of the module whose code is about to run, from the locals of the caller of exec."""
    for value in sys._getframe(_FRAMES_TO_CALLER_OF_EXEC).f_locals.values():
        if is_a(value, ModuleType):
            return text_of(held_by(value).get("__name__"))
        for space in value if type(value) is tuple else (value,):
            if type(space) is dict and type(space.get("__name__")) is str:
                return str(space["__name__"])
    return None


def _is_reloading() -> bool:
    frame: Optional[FrameType] = sys._getframe(_FRAMES_TO_CALLER_OF_EXEC)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(("importlib", "_frozen_importlib")):
        if frame.f_code.co_name == "reload":
            return True
        frame = frame.f_back
    return False


def _loaded_from(path: str) -> Iterator[str]:
    for name, module in list(sys.modules.items()):
        file = held_by(module).get("__file__") if is_a(module, ModuleType) else None
        if type(file) is not str or os.path.basename(file) != os.path.basename(path):
            continue
        if os.path.realpath(file) == path:
            yield name
