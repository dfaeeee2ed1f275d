"""Changes of text: lines of modules and of settings read otherwise, and where modules are looked for."""

from __future__ import annotations

from typing import Any, List

from ..own import os, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from .change import Change


def edit(change: Change) -> None:
    """Lines of a module read otherwise."""
    import sys  # the interpreter's own: what is held of it is never written to
    from importlib.machinery import SourceFileLoader

    wanted = os.path.realpath(change.fields["file"])
    sys.dont_write_bytecode = True  # what is made of the changed text must not be found by another run

    def getting(original: Any) -> Any:
        def get_code(loader: Any, fullname: str) -> Any:
            path = loader.get_filename(fullname)
            if os.path.realpath(path) != wanted:
                return original(loader, fullname)
            change.took_hold()
            return compile(_edited(path, change.fields["lines"]), path, "exec", dont_inherit=True)
        return get_code

    def rewriting(original: Any) -> Any:
        def _rewrite_test(path: Any, config: Any) -> Any:
            if os.path.realpath(path) != wanted:
                return original(path, config)
            change.took_hold()
            return os.stat(path), compile(_edited(path, change.fields["lines"]), str(path), "exec", dont_inherit=True)
        return _rewrite_test

    def reading(original: Any) -> Any:
        def _read_pyc(source: Any, *args: Any, **kwargs: Any) -> Any:
            return None if os.path.realpath(source) == wanted else original(source, *args, **kwargs)
        return _read_pyc

    def watch(rewrite: Any) -> None:
        change.hooks.replace(rewrite, "_rewrite_test", rewriting)
        change.hooks.replace(rewrite, "_read_pyc", reading)

    change.hooks.replace(SourceFileLoader, "get_code", getting)
    change.hooks.when_imported("_pytest.assertion.rewrite", watch)


def edit_data(change: Change) -> None:
    """Lines of a file of settings read otherwise."""
    import builtins
    import io

    wanted = os.path.realpath(change.fields["file"])

    def opening(original: Any) -> Any:
        def open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            named = isinstance(file, (str, os.PathLike))
            if not named or "r" not in mode or os.path.realpath(file) != wanted:
                return original(file, mode, *args, **kwargs)
            change.took_hold()
            text = _edited(file, change.fields["lines"], original)
            return io.BytesIO(text.encode()) if "b" in mode else io.StringIO(text)
        return open

    for module in (builtins, io):
        change.hooks.replace(module, "open", opening)


def path_first(change: Change) -> None:
    """Modules are looked for in a folder first."""
    from importlib.machinery import PathFinder

    class First:
        """Goes before sys.path, to whose front others will add."""

        @staticmethod
        def find_spec(fullname: str, path: Any = None, target: Any = None) -> Any:
            spec = PathFinder.find_spec(fullname, [change.fields["folder"]]) if path is None else None
            if spec is None or spec.origin is None:
                return None
            change.took_hold()
            return spec

    finder: Any = First
    sys.meta_path.insert(0, finder)
    change.hooks.on_removal(lambda: _take_out(sys.meta_path, finder))


def _edited(path: Any, lines: List[Any], opened: Any = None) -> str:
    import tokenize

    with tokenize.open(str(path)) if opened is None else opened(path, encoding="utf-8") as file:
        text = file.read().splitlines()
    for first, last, instead in sorted(lines, reverse=True):
        text[first - 1:last] = instead.splitlines()
    return "\n".join(text) + "\n"


def _take_out(found: List[Any], one: Any) -> None:
    if one in found:
        found.remove(one)
