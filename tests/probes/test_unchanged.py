"""What the probes leave alone: the program under study behaves, prints and ends as it would without them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.probes.seen import PROBED, PYTEST, TIMEOUT_S, Seen, environment, injected, run, write

# A project in which much of what a probe could disturb is tested by the project itself.
PROJECT = {
    "kit/__init__.py": "name = 'my own kit'\n",
    "kit/probes.py": "name = 'my own probes'\n",
    "web.py": """\
        from fastapi import BackgroundTasks, Depends, FastAPI
        from sqlalchemy import create_engine, text
        from sqlalchemy.orm import Session

        engine = create_engine("sqlite:///it.db", echo=False, logging_name="it", query_cache_size=9)
        app = FastAPI()

        def get_db():
            with Session(engine) as session:
                yield session

        class Paging:
            def __init__(self, page: int = 1): self.page = page

        @app.get("/")
        def read(db=Depends(get_db), paging: Paging = Depends()):
            return db.scalar(text("select :page"), {"page": paging.page})

        @app.get("/session")
        def session(tasks: BackgroundTasks):
            tasks.add_task(print, "later")

        @app.get("/fails")
        def fails(): raise LookupError("of the application")

        @app.get("/sql")
        def sql(db=Depends(get_db)): return db.execute(text("select no_such_column"))
        """,
    "test_it.py": """\
        import asyncio, copy, inspect, logging, os, pickle, sqlite3, sys, threading, traceback, unittest.mock, warnings
        import pytest
        import kit, kit.probes
        from fastapi import FastAPI, routing
        from fastapi.dependencies import utils
        from fastapi.testclient import TestClient
        from sqlalchemy import create_engine, text
        from sqlalchemy.orm import Session, sessionmaker
        from starlette.applications import Starlette
        from starlette.background import BackgroundTask
        from web import app, get_db

        client = TestClient(app)

        def test_own_package(): assert (kit.name, kit.probes.name) == ("my own kit", "my own probes")

        def test_path():
            assert not [entry for entry in sys.path if "inject" in entry]
            assert "inject" not in str(sys.modules.get("sitecustomize"))  # Debian's Python has one of its own

        def test_dependencies_by_signature(): assert client.get("/?page=3").json() == 3

        def test_kinds_of_functions():
            assert inspect.iscoroutinefunction(Starlette.__call__)
            assert inspect.iscoroutinefunction(BackgroundTask.__call__)
            assert inspect.iscoroutinefunction(utils.solve_dependencies)
            assert routing.solve_dependencies is utils.solve_dependencies
            assert not inspect.iscoroutinefunction(FastAPI.__init__)

        def test_signatures():
            assert "dependant" in inspect.signature(utils.solve_dependencies).parameters
            assert "title" in inspect.signature(FastAPI).parameters
            assert "bind" in inspect.signature(Session).parameters
            unittest.mock.create_autospec(Session)(bind=None)
            with pytest.raises(TypeError):
                unittest.mock.create_autospec(Session)(no_such_thing=1)

        def test_overrides_are_a_dictionary():
            assert isinstance(app.dependency_overrides, dict)
            assert app.dependency_overrides == {}
            app.dependency_overrides[get_db] = test_path
            assert pickle.loads(pickle.dumps(app.dependency_overrides)) == {get_db: test_path}
            assert copy.deepcopy(app.dependency_overrides) == {get_db: test_path}
            assert str(app.dependency_overrides) == str({get_db: test_path})
            app.dependency_overrides.clear()

        def test_connect_is_no_method():
            class Repository:
                connect = sqlite3.connect
            assert Repository().connect(":memory:").execute("select 1").fetchone() == (1,)
            assert sqlite3.connect.__name__ == "connect"

        def test_types():
            assert type(sqlite3.connect(":memory:")) is sqlite3.Connection
            with create_engine("sqlite://").connect() as connection:
                assert type(connection.connection.driver_connection) is sqlite3.Connection

        def test_traceback_of_application():
            with pytest.raises(LookupError) as caught:
                client.get("/fails")
            frames = traceback.extract_tb(caught.value.__traceback__)
            assert not [frame for frame in frames if "kit/probes/" in frame.filename]

        def test_logged_traceback(caplog):
            try:
                client.get("/sql")
            except Exception:
                logging.exception("it failed")
            assert "no such column" in caplog.text
            assert "kit/probes/" not in caplog.text

        def test_environment():
            with pytest.raises(KeyError) as caught:
                os.environ["NO_SUCH_DATABASE_URL"]
            assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][1:] == ["__getitem__"]
            with unittest.mock.patch.dict(os.environ, {"DATABASE_URL": "sqlite://"}, clear=True):
                assert dict(os.environ) == {"DATABASE_URL": "sqlite://"}
            assert isinstance(os.environ.copy(), dict)

        def test_threads():
            before = threading.enumerate()
            thread = threading.Thread(target=int)
            thread.start()
            thread.join()
            assert set(threading.enumerate()) <= set(before)  # one of the client's threads may end meanwhile

        def test_loader():
            import fastapi, sqlalchemy.orm
            for module in (fastapi, sqlalchemy.orm, sqlite3):
                assert module.__loader__.get_data(module.__file__)
                assert "exec_module" not in vars(module.__loader__)
                assert module.__spec__.loader is module.__loader__

        @pytest.mark.parametrize("fails", range(2))
        def test_that_fails(fails):
            client.get("/fails")

        def test_that_fails_in_sql():
            client.get("/sql")

        async def wait(): await asyncio.sleep(0)

        def test_that_warns():
            warnings.warn("mine")
            wait()

        def test_prints(): client.get("/session")
        """,
}
_CHANGES = re.compile(r"\d+\.\d+s( \(\d+:\d\d:\d\d\))?|0x[0-9a-f]+|={3,}")


def told(seen: Seen) -> list[str]:
    """The output, without durations, addresses, and the rules whose length depends on them."""
    return _CHANGES.sub("", seen.output).replace(str(seen.folder.parent), "").splitlines()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Seen, Seen]:
    """The same suite without probes and with them."""
    # The project has a package called kit, in which the kit's own plugin would look for itself.
    options = ("-W", "ignore::DeprecationWarning", "-rA", "-p", "no:kit-db-guard")
    without, seen = (
        run(tmp_path_factory.mktemp("unchanged"), PROJECT, *PYTEST, *options, probes=probes, expect=1)
        for probes in (False, True)
    )
    return without, seen


def test_output_and_outcomes_are_the_same(both: tuple[Seen, Seen]) -> None:
    """Every line that a suite prints is the same with the probes in, failures and tracebacks included."""
    without, seen = both
    assert len(seen.of("request")) > 5
    assert "3 failed" in without.output
    assert told(seen) == told(without)
    assert seen.errors == without.errors


NATIVE = """\
    import os, subprocess
    import pytest
    from sqlalchemy import create_engine, text

    @pytest.fixture
    def broken(): raise LookupError("of a fixture")

    @pytest.fixture
    def torn():
        yield
        raise LookupError("at the end")

    def test_fixture(broken): ...
    def test_teardown(torn): ...
    def test_call(): assert 0
    def test_process(): subprocess.run(["/nowhere"], env={})
    def test_variable(): os.environ["NO_SUCH"]
    def test_statement():
        with create_engine("sqlite://").connect() as connection:
            connection.execute(text("select nothing"))
    """


def test_tracebacks_are_the_same_as_python_shows_them(tmp_path: Path) -> None:
    """With --tb=native every frame is shown, of pytest's too: none is there for the probes."""
    without, seen = (
        run(tmp_path / str(probes), {"test_it.py": NATIVE}, *PYTEST, "--tb=native", probes=probes, expect=1)
        for probes in (False, True)
    )
    assert "4 failed" in without.output
    assert told(seen) == told(without)


def test_nothing_is_left_in_the_project(both: tuple[Seen, Seen]) -> None:
    """A suite with probes leaves the same files as one without."""
    files = [sorted(str(path.relative_to(ran.folder)) for path in ran.folder.rglob("*")) for ran in both]
    assert files[0] == files[1]


def test_warnings_as_errors_find_none(tmp_path: Path) -> None:
    """Under -W error, -b and the development mode, the probes give no warning of their own."""
    files = {
        "it.py": """\
        import sqlite3, os
        connection = sqlite3.connect("it.db")
        connection.execute("select 1")
        connection.close()
        os.environ["DATABASE_URL"] = "x"
        """
    }
    seen = run(tmp_path, files, "-W", "error", "-bb", "-X", "dev", "it.py")
    assert seen.errors == ""
    assert len(seen.of("use")) == 1


def test_a_sitecustomize_of_its_own_still_runs(tmp_path: Path) -> None:
    """A sitecustomize on the path that is the project's is run, once, and is the one in sys.modules."""
    files = {
        "lib/sitecustomize.py": "print('mine')\n",
        "it.py": "import sitecustomize, sys\nprint(sitecustomize.__file__)\n",
    }
    write(tmp_path / "project", files)
    seen = tmp_path / "seen"
    seen.mkdir()
    environ = injected(seen)
    environ["PYTHONPATH"] += os.pathsep + str(tmp_path / "project" / "lib")
    done = subprocess.run(
        [PROBED, "it.py"], cwd=tmp_path / "project", env={**environment(), **environ}, capture_output=True,
        text=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["mine", str(tmp_path / "project" / "lib" / "sitecustomize.py")]
    assert done.stderr == ""
    assert len(list(seen.iterdir())) == 1


def test_an_error_in_its_sitecustomize_is_shown_as_ever(tmp_path: Path) -> None:
    """A sitecustomize that fails is reported by Python as it would be without the probes."""
    errors = []
    for path in ([], [injected(tmp_path)["PYTHONPATH"]]):
        (tmp_path / "lib").mkdir(exist_ok=True)
        (tmp_path / "lib" / "sitecustomize.py").write_text("raise ValueError('mine')\n")
        environ = {**environment(), "ISOLATION_PROBES_DIR": str(tmp_path)}
        environ["PYTHONPATH"] = os.pathsep.join([*path, str(tmp_path / "lib")])
        done = subprocess.run(
            [sys.executable, "-c", "print('on')"], env=environ, capture_output=True, text=True, timeout=TIMEOUT_S
        )
        errors.append((done.stdout, done.stderr))
    assert errors[0] == errors[1]
    assert "mine" in errors[0][1]


def test_import_hooks_of_its_own_still_work(tmp_path: Path) -> None:
    """A finder that a program puts on the import path finds what it would, also a library that is hooked."""
    files = {
        "it.py": """\
        import importlib.abc, importlib.util, sys

        class Finder(importlib.abc.MetaPathFinder):
            asked = []

            def find_spec(self, name, path, target=None):
                self.asked.append(name)
                if name == "asyncpg":
                    return importlib.util.spec_from_loader(name, Loader())

        class Loader(importlib.abc.Loader):
            def exec_module(self, module):
                module.own = True

        sys.meta_path.insert(0, Finder())
        import asyncpg, sqlite3
        print(asyncpg.own, "sqlite3" in Finder.asked, type(asyncpg.__loader__).__name__)
        sqlite3.connect(":memory:")
        """
    }
    seen = run(tmp_path, files, "it.py")
    assert seen.output == "True True Loader\n"
    assert len(seen.of("connection")) == 1


def test_children_and_other_interpreters_go_on(tmp_path: Path) -> None:
    """Python processes that are started have the probes; multiprocessing, forked or spawned, works as ever."""
    files = {
        "work.py": "import sqlite3\ndef work(name): sqlite3.connect(f'{name}.db').execute('select 1'); return name\n",
        "it.py": """\
        import multiprocessing, subprocess, sys
        from work import work

        if __name__ == "__main__":
            subprocess.run([sys.executable, "-c", "from work import work; work('child')"], check=True)
            subprocess.run([sys.executable, "-I", "-c", "print('isolated')"], check=True)
            for way in ("fork", "spawn"):
                with multiprocessing.get_context(way).Pool(1) as pool:
                    print(pool.map(work, [way]))
            work("own")
        """,
    }
    seen = run(tmp_path, files, "it.py")
    assert seen.output == "isolated\n['fork']\n['spawn']\n"
    assert {event["configured"] for event in seen.of("connection")} == {"child.db", "fork.db", "spawn.db", "own.db"}


@pytest.mark.parametrize("name", ["a\\0b.db", "\\ud800.db", "ü.db"])
def test_a_name_that_no_file_can_have_is_refused_as_ever(tmp_path: Path, name: str) -> None:
    """A name that the system or its locale cannot hold is refused where it was, with the same error."""
    program = f"""\
        import sqlite3, traceback
        try:
            sqlite3.connect("{name}")
        except Exception as error:
            print(type(error), ascii(str(error)), "probes" in traceback.format_exc().splitlines()[-2])
        """
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    bare, seen = (
        run(tmp_path / str(probes), {"it.py": program}, "it.py", probes=probes, environ=ascii_only)
        for probes in (False, True)
    )
    assert "Error" in bare.output
    assert (seen.output, seen.errors) == (bare.output, bare.errors)


def test_a_failing_probe_is_told_and_harms_nobody(tmp_path: Path) -> None:
    """Where a library is not what a probe expects, the program runs, and the record says which probe failed and why."""
    files = {
        "asyncpg.py": "own = True\n",
        "aiosqlite.py": "own = True\n",
        "it.py": """\
        import aiosqlite, asyncpg, sqlite3
        sqlite3.connect(":memory:").execute("select 1")
        print(asyncpg.own, aiosqlite.own)
        """,
    }
    seen = run(tmp_path, files, "it.py")
    assert (seen.output, seen.errors) == ("True True\n", "")
    assert set(seen.one("end")["failures"]) == {"asyncpg", "aiosqlite"}
    assert len(seen.of("use")) == 1


def test_an_interpreter_without_the_variables_is_left(tmp_path: Path) -> None:
    """The folder on PYTHONPATH alone puts nothing in."""
    code = "import sys; print(*sys.modules); print(sys.modules.get('sitecustomize'), sys.path, file=sys.stderr)"
    bare, left = (
        subprocess.run([sys.executable, "-c", code], env={**environment(), **more}, capture_output=True, text=True)
        for more in ({}, {"PYTHONPATH": injected(tmp_path)["PYTHONPATH"]})
    )
    assert not [name for name in left.stdout.split() if "isolation" in name]
    assert left.stderr == bare.stderr


def test_a_record_that_is_gone_harms_nobody(tmp_path: Path) -> None:
    """A suite whose record's folder is taken away in mid-run goes on to its end."""
    files = {
        "test_it.py": """\
        import os, shutil, sqlite3
        def test_it():
            shutil.rmtree(os.environ["ISOLATION_PROBES_DIR"])
            sqlite3.connect("it.db").execute("select 1")
        """
    }
    seen = run(tmp_path, files, *PYTEST)
    assert seen.exit_code == 0
    shutil.rmtree(tmp_path)
