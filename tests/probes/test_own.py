from __future__ import annotations

import ast
import builtins
import genericpath
import os
import posixpath
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any

import pytest

from kit.probes import own
from tests.probes.seen import run

PROBES = Path(own.__file__).parent
# What is written in C (`_socket`) stands behind what a program replaces. From these a probe may take names: types, and
# functions through which nothing that can be replaced is reached.
PLAIN = {
    "__future__", "binascii", "bisect", "contextlib", "contextvars", "dataclasses", "fnmatch", "functools",
    "importlib.abc", "importlib.machinery", "pathlib", "shlex", "types", "typing", "urllib.parse", "weakref",
}  # fmt: skip
# Each stands for itself alone: it is to change what the program has.
CHANGES_THE_PROGRAM = {
    ("interventions/texts.py", "builtins"), ("interventions/texts.py", "io"), ("interventions/texts.py", "sys"),
    ("interventions/texts.py", "tokenize"), ("drivers/asyncpg.py", "asyncio"),
    ("last_word.py", "sys"),
}  # fmt: skip


def modules() -> list[Path]:
    """Return the probes' modules, but for what holds the standard library and what starts before it is held."""
    return [path for path in sorted(PROBES.rglob("*.py")) if path.name not in ("own.py", "sitecustomize.py")]


def taken_outright(source: str, name: str) -> list[str]:
    """Return the modules of the standard library that a probe imports as such, or takes names of at its top."""
    tree = ast.parse(source)
    found = [
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        if (name, alias.name) not in CHANGES_THE_PROGRAM and not alias.name.startswith("_")
    ]  # fmt: skip
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and not node.level and node.module not in PLAIN:
            found.append(str(node.module))
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.name)
def test_a_probe_calls_nothing_that_a_program_can_replace(path: Path) -> None:
    """No probe imports `os`, `time`, `json` and the like: it takes them, and its builtins, from what is held."""
    source = path.read_text()
    assert taken_outright(source, str(path.relative_to(PROBES))) == []
    if path != PROBES / "__init__.py":
        dots = "." * len(path.relative_to(PROBES).parts)
        assert f"\nfrom {dots}own import own_builtins as __builtins__  # noqa: F401\n" in source


@pytest.mark.parametrize("source", ["import os", "def f():\n    import time", "from os import stat"])
def test_what_is_taken_outright_is_seen(source: str) -> None:
    """The rule sees a module of the standard library however it is imported."""
    assert taken_outright(source, "it.py") != []


@contextmanager
def all_of_it_broken() -> Iterator[None]:
    """Have every function of `os`, `os.path` and `time` raise, as the program sees them; in here nothing else works."""

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    kept = [
        (vars(module), name, value) for module in (os, posixpath, genericpath, time)
        for name, value in vars(module).items() if isinstance(value, FunctionType | BuiltinFunctionType)
    ]  # fmt: skip
    kept.append((vars(builtins), "open", builtins.open))
    for space, name, _ in kept:
        space[name] = broken
    try:
        yield
    finally:
        for space, name, value in kept:
            space[name] = value


def test_what_is_held_works_where_the_modules_do_not() -> None:
    """Files, paths and clocks answer through what is held, though every function of the modules is replaced."""
    with all_of_it_broken():
        found = (
            own.os.path.realpath("/usr/../etc"), own.os.path.isfile("/etc/passwd"), own.os.path.relpath("/a/b", "/a"),
            own.os.path.abspath("/x"), own.os.fsdecode(b"x"), own.os.path.getsize("/etc/passwd") > 0,
            own.time.perf_counter() > 0, own.os.getpid() > 0,
        )  # fmt: skip
    assert found == ("/etc", True, "b", "/x", "x", True, True, True)


def test_what_is_held_is_no_module() -> None:
    """What replaces names in every module finds no module and no function of one in a probe's globals."""
    assert type(own.os) is not type(os)
    assert own.os.path is not os.path
    assert own.os.path.realpath is not os.path.realpath


def test_what_a_program_sets_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's arguments and finders are as they are now, and those of another list too."""
    finders: list[Any] = list(sys.meta_path)
    monkeypatch.setattr(sys, "argv", ["it"])
    monkeypatch.setattr(sys, "meta_path", finders)
    assert own.sys.argv == ["it"]
    assert own.sys.meta_path is finders


def test_the_thread_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The running thread is found whatever `threading` says of it, and none is made for asking."""
    monkeypatch.setattr(threading, "get_ident", lambda: 5)
    monkeypatch.setattr(threading, "current_thread", lambda: None)
    assert own.threading.current_thread() is threading.main_thread()


def test_a_deleted_folder_is_no_error(tmp_path: Path) -> None:
    """A program in a working directory that was deleted fails as it would without the probes, and is seen."""
    seen = run(
        tmp_path,
        {
            "it.py": """\
            import os, sqlite3, tempfile
            folder = tempfile.mkdtemp()
            os.chdir(folder)
            os.rmdir(folder)
            sqlite3.connect(":memory:").execute("select 1")
            try:
                sqlite3.connect("it.db")
            except Exception as error:
                print(type(error).__name__)
            """
        },
        "it.py",
    )
    assert seen.output == "OperationalError\n"
    assert len(seen.of("use")) == 1
    assert seen.one("connection_failed")["error"].startswith("OperationalError")
