"""Drivers that need no server; those of Postgres are in tests/live/test_probes.py."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.probes.seen import Seen, run

PROGRAM = {
    "it.py": """\
        import asyncio, os, sqlite3, threading
        import aiosqlite
        from pathlib import Path

        class Repository:
            connect = sqlite3.connect

        def raw():
            connection = Repository().connect("raw.db")
            with connection:
                connection.execute("create table t (x)")
            connection.executemany("insert into t values (?)", [(1,), (2,)])
            connection.commit()
            assert connection.execute("select count(*) from t").fetchone() == (2,)
            connection.close()

        def by_path():
            sqlite3.connect(database=Path("path.db"))
            sqlite3.connect(os.fsencode("bytes.db"))
            sqlite3.connect("file:uri.db?mode=rwc", uri=True)
            sqlite3.dbapi2.connect(":memory:")

        class Mine(sqlite3.Connection):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self.own = 1

            def execute(self, *args):
                raise AssertionError("not mine to run")

        def subclass():
            assert sqlite3.connect("mine.db", factory=Mine).own == 1

        def refused():
            try:
                sqlite3.connect("no/such/folder.db")
            except sqlite3.OperationalError as error:
                print(error)

        def own_trace():
            seen = []
            connection = sqlite3.connect("traced.db")
            connection.set_trace_callback(seen.append)
            connection.execute("select 5")
            print(seen)

        async def asynchronous():
            async with aiosqlite.connect("async.db") as connection:
                await connection.execute("create table t (x)")
                await connection.execute("insert into t values (1)")
                await connection.commit()
                await connection.execute("select x from t")

        raw()
        by_path()
        subclass()
        refused()
        own_trace()
        asyncio.run(asynchronous())
        for thread in threading.enumerate()[1:]:
            thread.join(60)
        print(threading.active_count())
        """,
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return run(tmp_path_factory.mktemp("drivers"), PROGRAM, "it.py")


def uses(seen: Seen, file: str) -> list[tuple[str, bool]]:
    """The uses of a file: the function that ran the statement, and whether it wrote."""
    (connection,) = [
        event["connection"] for event in seen.of("connection") if str(event["observed"]["file"]).endswith(file)
    ]
    return [
        (seen.places(event)[0].partition(" ")[2], event["writes"]) for event in seen.of("use", connection=connection)
    ]


def test_each_way_to_name_a_file_is_seen(seen: Seen) -> None:
    """Each connection tells the file behind it, however it was named; one in memory has none."""
    files = [event["observed"]["file"] and Path(event["observed"]["file"]).name for event in seen.of("connection")]
    assert files == ["raw.db", "path.db", "bytes.db", "uri.db", None, "mine.db", "traced.db", "async.db"]


def test_a_file_that_the_program_makes_is_told_as_such(tmp_path: Path) -> None:
    """Whether a file was there is told with its first connection; one that is there, and not empty, is not new."""
    program = """\
        import sqlite3
        for name in ("new.db", "new.db", "empty.db", "there.db"):
            sqlite3.connect(name).execute("create table if not exists t (x)")
        """
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "empty.db").touch()
    with closing(sqlite3.connect(tmp_path / "project" / "there.db")) as connection:
        connection.execute("create table t (x)")
    seen = run(tmp_path, {"it.py": program}, "it.py")
    told = [event.get("fresh", False) for event in seen.of("connection")]
    assert told == [True, False, True, False]


def test_raw_connections_tell_of_their_use(seen: Seen) -> None:
    """A statement on a connection that no library stands around is told with the application's line."""
    assert uses(seen, "raw.db") == [("raw", True), ("raw", False)]
    assert uses(seen, "async.db") == [("asynchronous", True), ("asynchronous", False)]


def test_a_connection_that_failed_is_told(seen: Seen) -> None:
    """Where a driver could not connect, that is told with the place and the error; the program gets its error."""
    event = seen.one("connection_failed")
    assert (event["configured"], event["error"]) == (
        "no/such/folder.db", "OperationalError: unable to open database file",
    )  # fmt: skip
    assert "unable to open database file" in seen.output


def test_the_programs_own_trace_is_its_own(seen: Seen) -> None:
    """A program that traces statements itself gets each of its own, and none of the probes'."""
    assert "['select 5']" in seen.output


def test_no_thread_is_left(seen: Seen) -> None:
    """The probes start no thread and keep none."""
    assert seen.output.splitlines()[-1] == "1"


def test_a_long_loop_is_bounded(tmp_path: Path) -> None:
    """A hundred thousand statements and a thousand connections leave a short record that counts them."""
    program = """\
        import sqlite3
        connection = sqlite3.connect("it.db")
        connection.execute("create table t (x)")
        connection.executemany("insert into t values (?)", ((number,) for number in range(100_000)))
        for number in range(1000):
            sqlite3.connect("it.db").execute("select 1")
        """
    seen = run(tmp_path, {"it.py": program}, "it.py")
    end = seen.one("end")
    assert max(end["uses"].values()) >= 100_000
    assert end["left_out"]["connection"] > 800
    assert sum(path.stat().st_size for path in seen.files.iterdir()) < 400_000


def test_tools_that_keep_files_of_their_own_are_left(tmp_path: Path) -> None:
    """What coverage and its like keep in SQLite is no database of the program's."""
    files = {"coverage.py": "import sqlite3\nsqlite3.connect('.coverage')\n", "it.py": "import coverage"}
    seen = run(tmp_path, files, "it.py")
    assert seen.of("connection") == []


AS_IT_IS = {
    "it.py": """\
        import _sqlite3, os, pickle, shutil, sqlite3, sys, tempfile, traceback, warnings

        class Final(type(sqlite3.Connection)):
            made = []
            def __init__(cls, name, bases, space):
                Final.made.append(name)
                if any(isinstance(base, Final) for base in bases):
                    raise TypeError("not to be derived from")
                super().__init__(name, bases, space)

        class Own(sqlite3.Connection, metaclass=Final):
            def set_trace_callback(self, *args):
                raise AssertionError("not for the probes")
            set_authorizer = cursor = set_trace_callback

        class Other:
            def __init__(self, *args, **kwargs):
                self.args = args

        class Path:
            asked = 0
            def __fspath__(self):
                Path.asked += 1
                return "path.db"

        print(sqlite3.connect is _sqlite3.connect, sqlite3.connect is sqlite3.dbapi2.connect)
        print(pickle.loads(pickle.dumps(sqlite3.connect)) is sqlite3.connect, type(sqlite3.connect).__name__)
        print(sqlite3.Connection.execute is _sqlite3.Connection.execute, type(sqlite3.Connection.execute).__name__)
        print(type(sqlite3.connect("own.db", factory=Own)) is Own, Final.made)
        print(type(sqlite3.connect("other.db", factory=Other)) is Other, type(sqlite3.connect("it.db")))
        sqlite3.connect(Path()).execute("create table t (x)")
        print(Path.asked)

        connection = sqlite3.connect("it.db")
        connection.text_factory = lambda text: 1 / 0
        connection.row_factory = lambda *args: 1 / 0
        print(type(connection.execute).__name__, connection.total_changes, int(connection.in_transaction))
        try:
            connection.execute("no statement")
        except sqlite3.OperationalError as error:
            print(len(traceback.extract_tb(error.__traceback__)))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for name in ("named.db", ":memory:"):
                given = (5.0, 0, "", True, sqlite3.Connection, 128, True)
                if sys.version_info >= (3, 15):  # which takes them by keyword only
                    names = "timeout detect_types isolation_level check_same_thread factory cached_statements uri"
                    connection = sqlite3.connect(name, **dict(zip(names.split(), given)))
                else:
                    connection = sqlite3.connect(name, *given)
                # Before 3.14 a sequence is taken for named parameters, too, with a warning.
                connection.execute("select :a", {"a": 1} if sys.version_info >= (3, 14) else [1])
        print({os.path.basename(one.filename) for one in caught} <= {"it.py"})

        seen = []
        connection = sqlite3.connect("it.db")
        connection.set_authorizer(lambda *args: seen.append(args[0]) or 0)
        connection.set_trace_callback(seen.append)
        connection.execute("select 5")
        print(seen)

        gone = tempfile.mkdtemp()
        os.chdir(gone)
        os.rmdir(gone)
        try:
            sqlite3.connect("gone.db")
        except sqlite3.OperationalError as error:
            print(error)
        print(sqlite3.connect(":memory:").execute("select 6").fetchone())
        """,
}


def test_the_driver_stays_what_it_is(tmp_path: Path) -> None:
    """Functions, types, classes that may not be derived from, errors and their lines: a program sees no difference."""
    with_probes = run(tmp_path / "with", AS_IT_IS, "it.py")
    without = run(tmp_path / "without", AS_IT_IS, "it.py", probes=False)
    assert with_probes.output == without.output
    assert "False" not in without.output
    opened = [Path(event["observed"]["file"] or "").name for event in with_probes.of("connection")]
    assert opened == ["own.db", "it.db", "path.db", "it.db", "named.db", "", "it.db", ""]
    assert with_probes.one("end")["failures"] == {}


BY_OTHER_WAYS = {
    "it.py": """\
        import importlib, sys
        import sqlite3

        class Mine(sqlite3.Connection):
            pass

        def by_class(): sqlite3.Connection("class.db").execute("select 1")
        def by_subclass(): Mine("subclass.db").executescript("select 1")
        def by_c():
            import _sqlite3
            _sqlite3.connect("c.db").cursor().execute("select 1")
        def reloaded():
            importlib.reload(sqlite3.dbapi2).connect("reloaded.db").execute("select 1")
        def anew():
            for name in [name for name in sys.modules if "sqlite3" in name]:
                del sys.modules[name]
            import sqlite3
            sqlite3.connect("anew.db").execute("select 1")
        def again(connection=sqlite3.Connection("first.db")):
            connection.__init__("again.db")
            connection.execute("select 1")
        for way in (by_class, by_subclass, by_c, reloaded, again, anew):
            way()
        """,
}


def test_every_way_to_a_connection_is_seen(tmp_path: Path) -> None:
    """By a class, by the driver's C, reloaded, initialised or imported anew: it is seen, and so is what it runs."""
    seen = run(tmp_path, BY_OTHER_WAYS, "it.py")
    files = [Path(event["observed"]["file"]).name for event in seen.of("connection")]
    assert files == ["first.db", "class.db", "subclass.db", "c.db", "reloaded.db", "again.db", "anew.db"]
    used = [seen.places(event)[0].partition(" ")[2] for event in seen.of("use")]
    assert used == ["by_class", "by_subclass", "by_c", "reloaded", "again", "anew"]
