"""What programs do to the interpreter that they share with the probes: each test of the suite is the same with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.probes.seen import PYTEST, Seen, run

# Each test says what happens without the probes.
REPLACED = """\
    import builtins, gc, json, os, sqlite3, sys, threading, time
    from unittest import mock
    import pytest

    def use(name=":memory:"):
        connection = sqlite3.connect(name)
        try:
            return connection.execute("select 1").fetchone()
        finally:
            connection.close()

    NAMES = [
        "os.stat", "os.lstat", "os.fstat", "os.open", "os.write", "os.close", "os.getpid", "os.getcwd", "os.fspath",
        "os.fsdecode", "os.path.exists", "os.path.realpath", "os.path.abspath", "os.path.join", "os.path.basename",
        "os.path.isfile", "time.time", "time.perf_counter", "time.monotonic", "json.dumps", "json.loads",
        "threading.get_ident", "threading.current_thread", "threading.main_thread", "sys._getframe", "builtins.open",
        "builtins.print", "builtins.repr", "builtins.__import__",
    ]
    HOW = {
        "raises": {"side_effect": OSError("mine")}, "runs out": {"side_effect": iter(())},
        "is None": {"return_value": None},
    }

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("how", HOW)
    def test_a_mock_counts_the_tests_own_calls(name, how, tmp_path):
        file, found = str(tmp_path / "it.db"), []
        with mock.patch(name, **HOW[how]) as mocked:
            try:
                connection = sqlite3.connect(file)
                found.append(connection.execute("select 1").fetchone())
                connection.close()
            except BaseException as error:
                found.append(type(error))
            calls = mocked.call_count
        assert (found, calls) == ([(1,)], 0)

    def everywhere(fakes):
        '''Replace objects in the globals of every module, as tools that freeze time or fake files do.'''
        for module in list(sys.modules.values()):
            for name, value in list(getattr(module, "__dict__", {}).items()):
                if id(value) in fakes and module is not sys.modules[__name__]:
                    yield module, name, value, fakes[id(value)]

    def test_a_clock_that_is_frozen_everywhere(monkeypatch):
        ticks = iter(range(1000))
        def tick(): return next(ticks)
        fakes = {id(getattr(time, name)): tick for name in ("time", "perf_counter", "monotonic", "time_ns")}
        for module, name, _, fake in everywhere(fakes):
            monkeypatch.setattr(module, name, fake)
        first = time.time()
        use()
        assert time.perf_counter() - first == 1

    def test_files_that_are_faked_everywhere(monkeypatch):
        fake_os = mock.MagicMock(name="os")
        fake_os.stat.side_effect = fake_os.path.realpath.side_effect = FileNotFoundError
        fakes = {id(os): fake_os, id(os.path): fake_os.path, id(open): mock.Mock(side_effect=FileNotFoundError)}
        for module, name, _, fake in everywhere(fakes):
            if module.__name__.partition(".")[0] not in ("_pytest", "pytest", "unittest", "importlib", "pluggy"):
                monkeypatch.setattr(module, name, fake)
        assert use() == (1,)
        assert fake_os.mock_calls == []

    def test_another_environment(monkeypatch):
        monkeypatch.setattr(os, "environ", {"A": "b"})
        assert use() == (1,)
        assert os.environ == {"A": "b"}

    def test_no_standard_error(monkeypatch):
        monkeypatch.setattr(sys, "stderr", None)
        assert use() == (1,)

    def test_no_modules(monkeypatch):
        for name in ("os", "time", "json", "threading", "sqlite3"):
            monkeypatch.setitem(sys.modules, name, None)
        assert use() == (1,)

    def test_another_import_system(monkeypatch):
        monkeypatch.setattr(sys, "meta_path", [])
        assert use() == (1,)

    def test_a_deleted_folder(tmp_path, monkeypatch):
        folder = tmp_path / "gone"
        folder.mkdir()
        monkeypatch.chdir(folder)
        folder.rmdir()
        assert use() == (1,)
        with pytest.raises(sqlite3.OperationalError):
            use("it.db")

    def test_a_thread_is_not_asked_for_its_name():
        asked = []
        class Thread(threading.Thread):
            name = property(lambda thread: asked.append(1) or "x", lambda thread, name: None)
        thread = Thread(target=use)
        asked.clear()
        thread.start()
        thread.join()
        assert asked == []

    def test_a_thread_holds_nothing_new():
        thread, plain = threading.Thread(target=int), threading.Thread(target=int)
        thread.start()
        thread.join()
        assert not [name for name in vars(thread).keys() - vars(plain).keys() if "probe" in name]

    def test_a_thread_that_was_not_initialised():
        with pytest.raises(RuntimeError, match="not called"):
            threading.Thread.__new__(threading.Thread).start()

    def test_a_signal_in_the_midst_of_it():
        import signal
        class Late(Exception): ...
        def late(*_): raise Late
        before = signal.signal(signal.SIGALRM, late)
        count = 0
        try:
            while count < 20:
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.001)
                    while True: os.environ["DATABASE_URL"] = "sqlite://"
                except Late:
                    count += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        del os.environ["DATABASE_URL"]

    def test_a_signal_while_a_statement_runs():
        import signal
        class Late(Exception): ...
        def late(*_): raise Late
        before = signal.signal(signal.SIGUSR1, late)
        connection = sqlite3.connect(":memory:")
        connection.create_function("now", 0, lambda: os.kill(os.getpid(), signal.SIGUSR1))
        try:
            with pytest.raises((Late, sqlite3.OperationalError)):
                connection.execute("select now()").fetchone()
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert connection.execute("select 1").fetchone() == (1,)

    def test_nothing_runs_while_a_statement_is_prepared():
        # What a signal's handler raised in there would become "not authorized".
        connection = sqlite3.connect(":memory:")
        connection.execute("create table t (x)")
        called = []
        before = sys.getprofile()
        sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_name) if event == "call" else None)
        try:
            connection.execute("select x from t")
        finally:
            sys.setprofile(before)
        assert "authorize" not in called

    def test_at_the_end_of_the_stack():
        def down(depth):
            try:
                return down(depth + 1)
            except RecursionError:
                return depth
        def deep(left):
            return deep(left - 1) if left else use()
        for left in range(max(0, down(0) - 120), down(0)):
            try:
                deep(left)
            except RecursionError:
                pass
        assert use() == (1,)

    def test_no_more_files_may_be_opened():
        import resource
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            assert use() == (1,)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    def test_frozen_objects_and_traced_lines():
        gc.freeze()
        lines = []
        before = sys.gettrace(), sys.getprofile()
        sys.settrace(lambda *_: None)
        sys.setprofile(lambda *_: lines.append(1))
        try:
            assert use() == (1,)
        finally:
            sys.settrace(before[0])
            sys.setprofile(before[1])
            gc.unfreeze()
    """

LIBRARIES = """\
    import pickle, sys, traceback, unittest, unittest.mock, warnings
    import pytest
    from fastapi import Depends, FastAPI
    from fastapi.testclient import TestClient
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import URL, Engine
    from sqlalchemy.orm import Session, sessionmaker
    from starlette.applications import Starlette

    def dependency(): ...

    def test_fastapi_has_no_attribute_of_the_probes():
        app = FastAPI()
        assert not hasattr(FastAPI, "dependency_overrides")
        assert "dependency_overrides" not in dir(FastAPI)
        with pytest.raises(AttributeError):
            unittest.mock.Mock(spec=FastAPI).dependency_overrides
        del app.dependency_overrides
        with pytest.raises(AttributeError):
            del app.dependency_overrides

    def test_a_key_is_asked_as_often():
        asked = []
        class Key:
            def __hash__(self): asked.append("hash"); return 1
            def __eq__(self, other): asked.append("eq"); return self is other
        app, key = FastAPI(), Key()
        app.dependency_overrides[key] = 1
        app.dependency_overrides.pop(key)
        app.dependency_overrides.update({key: 1})
        app.dependency_overrides.setdefault(key, 2)
        plain = len(asked)
        asked.clear()
        held = {}
        held[key] = 1
        held.pop(key)
        held.update({key: 1})
        held.setdefault(key, 2)
        assert plain == len(asked)

    def test_no_frame_where_an_override_is_missed():
        app = FastAPI()
        with pytest.raises(KeyError) as caught:
            del app.dependency_overrides[dependency]
        assert len(traceback.extract_tb(caught.value.__traceback__)) == 1

    def test_engines_have_no_events_of_the_probes():
        engine = create_engine("sqlite://")
        assert (engine._has_events, Engine._has_events) == (False, False)
        assert engine.connect().execute(text("select 1")).scalar() == 1

    def test_a_password_is_asked_as_often():
        asked = []
        class Password:
            def __str__(self): asked.append(1); return "x"
        create_engine(URL.create("postgresql+psycopg", "u", Password(), "localhost"))
        assert len(asked) == 1

    def test_warnings_name_the_caller():
        class Case(unittest.TestCase):
            def test_it(self): return 1
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Case("test_it").run()
        assert [warning.filename for warning in caught] == [__file__] * (sys.version_info >= (3, 11))

    def test_objects_of_the_applications_are_asked_nothing():
        TestClient(odd.app).get("/")
        assert odd.asked == []

    def test_what_is_given_for_a_path_is_asked_as_often():
        import os
        asked = []
        class Path:
            def __fspath__(self): asked.append(1); return "."
        os.chdir(Path())
        assert asked == [1]

    import odd
    """

ODD = """\
    from fastapi import Depends, FastAPI
    asked = []

    class Meta(type):
        def __getattribute__(cls, name):
            if not name.startswith("__"): asked.append(name)
            return super().__getattribute__(name)
        def __eq__(cls, other): asked.append("eq"); return cls is other
        def __hash__(cls): asked.append("hash"); return 1

    class Odd(metaclass=Meta):
        def __init__(self): self.inner = {}
        def __getattribute__(self, name): asked.append(name); return object.__getattribute__(self, name)
        def __getattr__(self, name): asked.append(name); raise AttributeError(name)
        def __repr__(self): asked.append("repr"); return "x"
        __str__ = __repr__
        def __eq__(self, other): asked.append("eq"); return self is other
        def __hash__(self): asked.append("hash"); return 1
        def __bool__(self): asked.append("bool"); return True
        __dict__ = property(lambda self: asked.append("dict") or {})
        __class__ = property(lambda self: asked.append("class") or int)

    class Key:
        def __repr__(self): asked.append("repr of a key"); return "x"

    it = Odd()
    held = {Key(): it, "x": it}
    class Keeps:
        it = it
        def given(self, it=it): ...
    def given(it=it): ...
    keeps = Keeps()
    app = FastAPI()
    app.state.it = it

    @app.get("/")
    def read(it=Depends(lambda: it)): return 1

    asked.clear()
    """


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Seen, Seen]:
    files = {"test_replaced.py": REPLACED, "test_libraries.py": LIBRARIES, "odd.py": ODD}
    options = ("-p", "no:kit-db-guard", "-rA", "-q")
    without, seen = (
        run(tmp_path_factory.mktemp("harmless"), files, *PYTEST, *options, probes=probes, expect=None)
        for probes in (False, True)
    )
    return without, seen


def test_each_test_ends_as_without_the_probes(both: tuple[Seen, Seen]) -> None:
    """Whatever a test replaces, however odd its objects: it passes alone, and passes with the probes."""
    without, seen = both
    assert without.exit_code == 0, without.output
    assert seen.exit_code == 0, seen.output


def test_the_record_is_whole_all_the_same(both: tuple[Seen, Seen]) -> None:
    """Each test that used a database is seen to have used it, and no probe has failed or lost a line."""
    seen = both[1]
    tests = {event["test"].partition("::")[2] for event in seen.of("outcome", when="call", outcome="passed")}
    used = {event["test"].partition("::")[2] for event in seen.of("use")}
    assert {test for test in tests if "counts_the_tests_own" in test} <= used
    assert {event["why"] for event in seen.of("not_seen") if "RecursionError" not in event["why"]} == set()
    assert len(seen.of("end")) == 1
    seen.evidence()


@pytest.mark.parametrize("broken", ["recorder.Recorder._write", "frames.application_stack", "objects.Objects.number"])
def test_a_probe_that_fails_is_off_and_said(tmp_path: Path, broken: str) -> None:
    """Whatever fails within the probes, the program runs as without them; that it was not seen is written down."""
    module, _, name = broken.partition(".")
    files = {
        "conftest.py": f"""\
            import sys
            def broken(*_, **__): raise LookupError("of the probes")
            for name, module in list(sys.modules.items()):
                if name.startswith("_isolation_probes"):
                    held = vars(module)
                    if {name!r} in held: held[{name!r}] = broken
                    if name.endswith({module!r}) and "." in {name!r}:
                        setattr(held[{name.partition(".")[0]!r}], {name.partition(".")[2]!r}, broken)
            """,
        "test_it.py": """\
            import sqlite3, threading, os
            from fastapi import Depends, FastAPI
            from fastapi.testclient import TestClient
            from sqlalchemy import create_engine, text
            from sqlalchemy.orm import Session, sessionmaker

            def get_db():
                with sessionmaker(create_engine("sqlite:///it.db"))() as session:
                    yield session

            app = FastAPI()

            @app.get("/")
            def read(db=Depends(get_db)): return db.execute(text("select 1")).scalar()

            def test_request():
                assert TestClient(app).get("/").json() == 1

            def test_override():
                app.dependency_overrides = {get_db: lambda: None}
                app.dependency_overrides.clear()

            def test_driver():
                assert sqlite3.connect("it.db").execute("select 1").fetchone() == (1,)

            def test_thread(monkeypatch):
                monkeypatch.setenv("DATABASE_URL", "sqlite://")
                assert os.environ["DATABASE_URL"]
                thread = threading.Thread(target=test_driver)
                thread.start()
                thread.join()
            """,
    }
    seen = run(tmp_path, files, *PYTEST, "-p", "no:kit-db-guard")
    assert "4 passed" in seen.output
    assert seen.errors == "" or "PytestDeprecationWarning" in seen.errors
