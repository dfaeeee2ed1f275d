"""Modules that a program loads lazily are loaded when the program first uses them, and are probed from then on."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from kit.probes.hooks import Hooks
from tests.probes.seen import PYTEST, Seen, run

# Each of these is made by LazyLoader: by a finder, or by the recipe of Python's documentation.
BY_FINDER = ("fastapi", "sqlalchemy", "aiosqlite", "asyncpg", "store", "multiprocessing.forkserver")
BY_RECIPE = ("psycopg", "sqlite3", "greenlet", "asyncio.events", "settings")
FILES = {
    "conftest.py": f"""\
        import importlib, importlib.util, sys
        from importlib.machinery import PathFinder
        import multiprocessing, asyncio

        BY_FINDER, BY_RECIPE = {BY_FINDER}, {BY_RECIPE}

        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                spec = PathFinder.find_spec(name, path, target) if name in BY_FINDER else None
                if spec is not None:
                    spec.loader = importlib.util.LazyLoader(spec.loader)
                return spec

        for name in BY_FINDER + BY_RECIPE:
            if name not in ("sqlite3", "asyncio.events"):
                sys.modules.pop(name, None)
        sys.meta_path.insert(0, Finder)
        for name in BY_FINDER:
            importlib.import_module(name)
        for name in BY_RECIPE:
            if name in sys.modules:
                continue
            spec = importlib.util.find_spec(name)
            spec.loader = importlib.util.LazyLoader(spec.loader)
            sys.modules[name] = module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)

        def waiting():
            return sorted(name for name in BY_FINDER + BY_RECIPE if type(sys.modules[name]).__name__ == "_LazyModule")

        print("at the start:", waiting())

        def pytest_collection_finish():
            print("collected:", waiting())

        def pytest_runtest_logfinish(nodeid):
            print(nodeid, waiting())

        def pytest_sessionfinish():
            print("at the end:", waiting())
        """,
    "store.py": "URL = 'sqlite:///it.db'\n",
    "settings.py": "DATABASE_URL = 'sqlite:///other.db'\n",
    "test_it.py": """\
        import os, subprocess, sys, threading

        def test_nothing(monkeypatch):
            monkeypatch.setenv("DATABASE_URL", "sqlite:///x.db")
            assert os.environ["DATABASE_URL"]
            subprocess.run([sys.executable, "-c", ""], check=True)

        def test_engine():
            import sqlalchemy, store
            engine = sqlalchemy.create_engine(store.URL)
            with engine.connect() as connection:
                connection.exec_driver_sql("create table if not exists t (x)")

        def test_application():
            import fastapi
            app = fastapi.FastAPI()
            app.dependency_overrides[len] = len
        """,
}  # fmt: skip


def lines(seen: Seen) -> list[str]:
    """What the run printed about modules that are not loaded yet."""
    return [line.lstrip(".") for line in seen.output.splitlines() if "[" in line and ":" in line]


@pytest.mark.parametrize("guarded", [False, True])
def test_a_lazy_module_is_loaded_when_the_program_uses_it(tmp_path: Path, guarded: bool) -> None:
    """At each moment the same modules are still to be loaded as without the probes, or without the guard."""
    guard = ("-p", "kit-db-guard", "--db-guard", "-o", "db_guard_allow=*.db")
    options = ("-q", "-s", "-p", "no:asyncio", "-p", "no:cacheprovider")
    without = run(tmp_path / "without", FILES, *PYTEST, *options, probes=False)
    more = guard if guarded else ("-p", "no:kit-db-guard")
    seen = run(tmp_path / "with", FILES, *PYTEST, *options, *more, probes=not guarded)
    assert "'fastapi'" in lines(without)[0]
    assert "'psycopg'" in lines(without)[-1]
    assert lines(seen) == lines(without)
    if not guarded:
        assert [event["url"] for event in seen.of("engine")] == ["sqlite:///it.db"]
        assert seen.of("override")
        assert seen.of("not_seen") == []


def test_a_module_that_was_lazy_before_the_probes_is_probed_when_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither waiting for it nor looking for what was missed loads it; its first use does, and then it is patched."""
    (tmp_path / "a_lazy_library.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = importlib.util.find_spec("a_lazy_library")
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "a_lazy_library", module)
    spec.loader.exec_module(module)
    hooks, found = Hooks(), list[int]()
    try:
        hooks.when_imported("a_lazy_library", lambda module: found.append(module.value))
        hooks.catch_up()
        assert type(module).__name__ == "_LazyModule"
        assert found == []
        assert module.value == 1
        assert found == [1]
    finally:
        hooks.remove()
