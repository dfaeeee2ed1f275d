"""Files that are attached to a connection of sqlite3."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.probes.seen import Seen, run

PROGRAM = {
    "it.py": """\
        import asyncio, gc, os, sqlite3, sys
        import aiosqlite, sqlalchemy
        from sqlalchemy.orm import Session

        BOUND = "attach database ? as other"

        def named():
            connection = sqlite3.connect("main.db")
            connection.execute("attach database 'named.db' as other")
            connection.execute("create table other.t (x)")

        def bound():
            sqlite3.connect("main.db").execute(BOUND, ("bound.db",))

        def computed():
            sqlite3.connect("main.db").executescript("attach 'com' || 'puted.db' as other; create table other.t (x)")

        def uri():
            sqlite3.connect("file:main.db", uri=True).execute("attach database 'file:uri.db?mode=rwc' as other")

        def in_memory():
            connection = sqlite3.connect("main.db")
            connection.execute("attach ':memory:' as memory")
            connection.execute("attach '' as temporary")

        def again():
            connection = sqlite3.connect("main.db")
            connection.execute("attach database 'again.db' as other")
            connection.execute("detach other")
            connection.row_factory, connection.text_factory = sqlite3.Row, bytes
            connection.execute("attach database 'again.db' as other")

        def in_vain():
            try:
                sqlite3.connect("main.db").execute("attach database 'no/such.db' as other")
            except sqlite3.OperationalError as error:
                print(error)

        def in_a_callback():
            connection = sqlite3.connect("main.db")
            connection.set_trace_callback(print)
            connection.execute(BOUND, ("callback.db",))

        def by_engine():
            engine = sqlalchemy.create_engine("sqlite:///main.db")

            @sqlalchemy.event.listens_for(engine, "connect")
            def attach(connection, record):
                connection.execute(BOUND, ("engine.db",))

            with Session(engine) as session:
                session.execute(sqlalchemy.text("create table other.t (x)"))
                session.execute(sqlalchemy.text("select 'another.t'"))

        async def by_aiosqlite():
            async with aiosqlite.connect("main.db") as connection:
                await connection.execute(BOUND, ("async.db",))
                await connection.execute("create table other.t (x)")

        def is_closed_at_once():
            gc.collect()
            before = len(os.listdir("/dev/fd"))
            for statement, parameters in ("attach 'named.db' as other", ()), (BOUND, ("bound.db",)):
                sqlite3.connect("main.db").execute(statement, parameters)
            gc.collect()  # the connection and its cache of statements are a cycle
            print("left open:", len(os.listdir("/dev/fd")) - before)

        def own_authorizer():
            connection = sqlite3.connect("main.db")
            asked = []
            connection.set_authorizer(lambda *action: asked.append(action[1]) or 0)
            connection.execute("attach database 'own.db' as other")
            print("its own:", asked)

        class Mine(sqlite3.Connection):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self.set_authorizer(lambda action, *_: action == 24)

        def own_kind():
            try:
                sqlite3.connect("main.db", factory=Mine).execute("attach database 'own.db' as other")
            except sqlite3.DatabaseError as error:
                print("its own kind:", error)

        for one in (
            named, bound, computed, uri, in_memory, again, in_vain, in_a_callback, by_engine, is_closed_at_once,
            own_authorizer, own_kind,
        ):
            one()
        asyncio.run(by_aiosqlite())
        print("profiler:", sys.getprofile())
        """,
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return run(tmp_path_factory.mktemp("attached"), PROGRAM, "it.py")


def attached(seen: Seen, function: str) -> list[str]:
    """The files that a function's own line attached."""
    found = [event for event in seen.of("connection") if event.get("attached_to") is not None]
    return [
        Path(event["observed"]["file"]).name for event in found
        if seen.places(event)[0].rpartition(" ")[2].startswith(function)
    ]  # fmt: skip


def test_an_attached_file_is_a_database_that_was_opened(seen: Seen) -> None:
    """A file is told with the line that attaches it, whether the statement names it, is given it, or computes it."""
    for function in ("named", "bound", "computed", "uri"):
        assert attached(seen, function) == [f"{function}.db"]
    assert attached(seen, "by_engine") == ["engine.db"]
    assert attached(seen, "by_aiosqlite") == ["async.db"]
    assert attached(seen, "in_a_callback") == ["callback.db"]


def test_each_time_is_told_and_nothing_else(seen: Seen) -> None:
    """A file that was detached is told again; what is in memory is no file, and what failed attached nothing."""
    assert attached(seen, "again") == ["again.db", "again.db"]
    assert attached(seen, "in_memory") == attached(seen, "in_vain") == []
    assert "unable to open database: no/such.db" in seen.output


def test_what_is_said_to_it_is_told(seen: Seen) -> None:
    """A statement that names the attached file is a use of it, by whoever's session it came."""
    for function, file in (("named", "named.db"), ("by_engine", "engine.db"), ("by_aiosqlite", "async.db")):
        (event,) = (
            event for event in seen.of("connection")
            if event.get("attached_as") and event["observed"]["file"].endswith(file)
            and function in seen.places(event)[0]
        )  # fmt: skip
        use = seen.one("use", connection=event["connection"])
        assert (use["verb"], use["tables"], use["engine"]) == ("create", ["t"], None)
        assert (use["session"] is not None) == (function == "by_engine")


def test_the_connection_is_as_it_was(seen: Seen) -> None:
    """It is closed when the program drops it, and an authorizer of the program's own goes first."""
    assert "left open: 0" in seen.output
    assert "its own: ['own.db']" in seen.output
    assert "its own kind: not authorized" in seen.output
    assert "profiler: None" in seen.output
    assert attached(seen, "own") == []
    assert seen.one("end")["failures"] == {}


def test_a_profiler_that_is_on_is_left_and_told(tmp_path: Path) -> None:
    """Where the program profiles itself, its profiler stays, and the run says that a file was not seen."""
    program = """\
        import sqlite3, sys
        def profile(frame, event, argument):
            pass
        sys.setprofile(profile)
        connection = sqlite3.connect("main.db")
        connection.execute("attach database ? as other", ("other.db",))
        connection.execute("create table other.t (x)")
        assert sys.getprofile() is profile
        """
    seen = run(tmp_path, {"it.py": program}, "it.py")
    assert [event["configured"] for event in seen.of("connection")] == ["main.db"]
    assert "while a profiler is active" in seen.one("end")["failures"]["ATTACH"]


def test_cprofile_counts_on_beside_the_probes(tmp_path: Path) -> None:
    """cProfile sees the program's own calls as often as without the probes, also after a file was attached."""
    program = """\
        import cProfile, pstats, sqlite3
        def own():
            pass
        with cProfile.Profile() as profile:
            own()
            connection = sqlite3.connect("main.db")
            connection.execute("attach database ? as other", ("other.db",))
            connection.execute("create table other.t (x)")
            own()
        print({name[2]: calls[0] for name, calls in pstats.Stats(profile).stats.items() if name[2] == "own"})
        """
    seen = run(tmp_path, {"it.py": program}, "it.py")
    assert seen.output == "{'own': 2}\n"
    # From Python 3.12 on it leaves room for another beside it, and the file is seen.
    told = "ATTACH" in seen.one("end")["failures"]
    assert told != bool(seen.of("connection", configured=str(seen.folder / "other.db")))
