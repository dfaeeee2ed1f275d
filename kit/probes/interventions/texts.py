"""Interventions on source text: edited lines of modules and settings files, and the order of sys.path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Tuple

from ..own import os, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from .base import File, Intervention, Rerun, TakenAway

Lines = Tuple[Tuple[int, int, str], ...]  # first line, last line, replacement
_MODULES: Dict[str, List[Tuple[Lines, Callable[[], None]]]] = {}  # what each intervention of a run edits in a module
_SETTINGS: Dict[str, List[Tuple[Lines, Callable[[], None]]]] = {}


@dataclass(frozen=True)
class EditModule(Intervention):
    """Lines of a module are replaced before it is compiled. The original lines do not run."""

    op = "edit"
    file: File
    lines: Lines

    @property
    def label(self) -> str:
        return f"with {_lines_label(self.file, self.lines)} changed"

    @property
    def takes_away(self) -> TakenAway:
        return TakenAway(file=self.file, lines=tuple((first, last) for first, last, _ in self.lines))

    @property
    def removes(self) -> bool:
        """Whether the lines are only removed (replaced by `pass`)."""
        return all(text.split()[:1] == ["pass"] for _, _, text in self.lines)

    def apply(self, rerun: Rerun) -> None:
        import sys  # not the probes' copy, on which the assignment below would have no effect
        from importlib.machinery import SourceFileLoader

        wanted = os.path.realpath(self.file)
        _register(_MODULES, wanted, self.lines, rerun)
        sys.dont_write_bytecode = True  # no other run may load the edited module from the cache

        def getting(original: Any) -> Any:
            def get_code(loader: Any, fullname: str) -> Any:
                path = loader.get_filename(fullname)
                return _compiled(path) if os.path.realpath(path) == wanted else original(loader, fullname)
            return get_code

        def rewriting(original: Any) -> Any:
            def _rewrite_test(path: Any, config: Any) -> Any:
                if os.path.realpath(path) != wanted:
                    return original(path, config)
                return os.stat(path), _compiled(path)
            return _rewrite_test

        def reading(original: Any) -> Any:
            def _read_pyc(source: Any, *args: Any, **kwargs: Any) -> Any:
                return None if os.path.realpath(source) == wanted else original(source, *args, **kwargs)
            return _read_pyc

        def watch(rewrite: Any) -> None:
            rerun.hooks.replace(rewrite, "_rewrite_test", rewriting)
            rerun.hooks.replace(rewrite, "_read_pyc", reading)

        rerun.hooks.replace(SourceFileLoader, "get_code", getting)
        rerun.hooks.when_imported("_pytest.assertion.rewrite", watch)


@dataclass(frozen=True)
class EditSettings(Intervention):
    """Lines of a settings file are replaced when it is opened for reading, as text or bytes."""

    op = "edit-data"
    file: File
    lines: Lines

    @property
    def label(self) -> str:
        return f"with {_lines_label(self.file, self.lines)} changed"

    def apply(self, rerun: Rerun) -> None:
        import builtins
        import io

        wanted = os.path.realpath(self.file)
        _register(_SETTINGS, wanted, self.lines, rerun)

        def opening(original: Any) -> Any:
            def open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
                named = isinstance(file, (str, os.PathLike))
                if not named or "r" not in mode or os.path.realpath(file) != wanted:
                    return original(file, mode, *args, **kwargs)
                text = _edited(file, _edits_of(_SETTINGS, wanted), original)
                return io.BytesIO(text.encode()) if "b" in mode else io.StringIO(text)
            return open

        for module in (builtins, io):
            rerun.hooks.replace(module, "open", opening)


@dataclass(frozen=True)
class PathFirst(Intervention):
    """Modules are looked up in a folder first; "" is the folder of the command."""

    op = "path-first"
    folder: File

    @property
    def label(self) -> str:
        return f"with {self.folder or 'the folder of the command'} first on sys.path"

    def apply(self, rerun: Rerun) -> None:
        from importlib.machinery import PathFinder

        folder = self.folder

        class First:
            """A finder that precedes sys.path, whose front others may change."""

            @staticmethod
            def find_spec(fullname: str, path: Any = None, target: Any = None) -> Any:
                spec = PathFinder.find_spec(fullname, [folder]) if path is None else None
                if spec is None or spec.origin is None:
                    return None
                rerun.record_effect()
                return spec

        finder: Any = First
        sys.meta_path.insert(0, finder)
        rerun.hooks.on_removal(lambda: _take_out(sys.meta_path, finder))


def _register(
    edits: Dict[str, List[Tuple[Lines, Callable[[], None]]]], wanted: str, lines: Lines, rerun: Rerun
) -> None:
    """Add the edits of one intervention: several in a run can change the same file."""
    edits.setdefault(wanted, []).append((lines, rerun.record_effect))
    rerun.hooks.on_removal(edits.clear)


def _edits_of(edits: Dict[str, List[Tuple[Lines, Callable[[], None]]]], wanted: str) -> Lines:
    """Return all edits of a file in this run, which take hold with that."""
    found: Dict[Tuple[int, int, str], None] = {}
    for lines, record_effect in edits.get(wanted, []):
        record_effect()
        found.update(dict.fromkeys(lines))
    return tuple(found)


def _compiled(path: Any) -> Any:
    lines = _edits_of(_MODULES, os.path.realpath(path))
    return compile(_edited(path, lines), str(path), "exec", dont_inherit=True)


def _lines_label(file: str, lines: Lines) -> str:
    return f"{file}:{lines[0][0]}" if lines else file


def _edited(path: Any, lines: Lines, opened: Any = None) -> str:
    import tokenize

    with tokenize.open(str(path)) if opened is None else opened(path, encoding="utf-8") as file:
        text = file.read().splitlines()
    for first, last, instead in sorted(lines, reverse=True):
        text[first - 1:last] = instead.splitlines()
    return "\n".join(text) + "\n"


def _take_out(found: List[Any], one: Any) -> None:
    if one in found:
        found.remove(one)
