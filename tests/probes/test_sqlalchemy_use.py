from __future__ import annotations

from pathlib import Path

import pytest

from tests.probes.seen import Seen, run

PROGRAM = {
    "db.py": """\
        import os
        from sqlalchemy import create_engine
        from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
        from sqlalchemy.orm import scoped_session, sessionmaker

        engine = create_engine(os.environ["DATABASE_URL"])
        later = create_async_engine("sqlite+aiosqlite:///later.db")
        SessionLocal = sessionmaker(engine)
        """,
    "it.py": """\
        import asyncio
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import AsyncSession
        from db import SessionLocal, engine, later

        def open_session():
            return SessionLocal()

        def by_session():
            with open_session() as session:
                session.execute(text("create table if not exists t (x)"))
                session.execute(text("select x from t"))
                session.commit()

        def by_connection():
            with engine.connect() as connection:
                connection.execute(text("select 1"))

        def derived():
            with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                connection.execute(text("select 2"))

        async def by_async():
            async with AsyncSession(later) as session:
                await session.execute(text("select 3"))
            await later.dispose()

        by_session()
        by_connection()
        derived()
        asyncio.run(by_async())
        """,
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    environ = {"DATABASE_URL": "sqlite:///own.db"}
    return run(tmp_path_factory.mktemp("sqlalchemy"), PROGRAM, "it.py", environ=environ)


def test_an_engine_is_told_with_its_maker_and_source(seen: Seen) -> None:
    """Each engine is told with the line that made it, its pool, and the variable that its URL came from."""
    own, later = seen.of("engine")
    assert seen.places(own) == ["db.py:6 <module>", "it.py:4 <module>"]
    assert (own["url"], own["dialect"], own["driver"], own["variables"]) == (
        "sqlite:///own.db", "sqlite", "pysqlite", ["DATABASE_URL"],
    )  # fmt: skip
    assert (later["driver"], later["variables"]) == ("aiosqlite", [])


def test_connections_are_asked_for_their_file(seen: Seen) -> None:
    """A connection tells the file behind it, and which engine it is of, also where it was opened in a thread."""
    files = {event["connection"]: Path(event["observed"]["file"]).name for event in seen.of("connection")}
    engines = {event["connection"]: event["engine"] for event in seen.of("pooled")}
    urls = {event["engine"]: event["url"].rpartition("/")[2] for event in seen.of("engine")}
    assert {files[connection]: urls[engine] for connection, engine in engines.items()} == {
        "own.db": "own.db", "later.db": "later.db",
    }  # fmt: skip
    in_thread = next(event for event in seen.of("connection") if event.get("thread"))
    assert seen.places(in_thread)[0].partition(" ")[2] == "by_async"


def test_a_use_names_engine_session_and_line(seen: Seen) -> None:
    """Reading and writing are told once each, with the session, the engine and the application's line."""
    uses = [(seen.places(event)[0].partition(" ")[2], event["writes"]) for event in seen.of("use")]
    assert uses[:3] == [("by_session", True), ("by_session", False), ("by_connection", False)]
    assert uses[-1] == ("by_async", False)
    sessions = {event["session"]: seen.places(event)[0] for event in seen.of("session")}
    assert sessions[seen.of("use")[0]["session"]] == "it.py:7 open_session"
    assert next(use for use in seen.of("use") if "by_connection" in seen.places(use)[0])["session"] is None


def test_statements_are_counted(seen: Seen) -> None:
    """At the end it is told how many statements each connection ran."""
    own = [event["connection"] for event in seen.of("connection") if event["observed"]["file"].endswith("own.db")]
    assert sum(seen.one("end")["uses"][connection] for connection in own) == 4


def test_nothing_is_kept_alive(tmp_path: Path) -> None:
    """Engines, sessions and connections that the program lets go of are gone."""
    program = """\
        import gc, weakref
        from sqlalchemy import create_engine, text
        from sqlalchemy.orm import Session

        def made():
            engine = create_engine("sqlite:///it.db")
            session = Session(engine)
            session.execute(text("select 1"))
            session.close()
            engine.dispose()
            return [weakref.ref(thing) for thing in (engine, session, engine.pool, engine.dialect)]

        pointers = made()
        gc.collect()
        assert [pointer() for pointer in pointers] == [None] * 4
        """
    run(tmp_path, {"it.py": program}, "it.py")


UNSEEN = """\
    import os

    paramstyle, sqlite_version_info, Error = "qmark", (3, 40, 0), ValueError

    def connect(*args, **options):
        return Connection()

    class Connection:
        def cursor(self):
            return Cursor()

        def create_function(self, *args, **options): ...
        def commit(self): ...
        def rollback(self): ...
        def close(self): ...

    class Cursor:
        description, rowcount = None, -1

        def execute(self, statement, parameters=()):
            self.row = (os.path.abspath("it.db") if "pragma_database_list" in statement else 0,)

        def fetchone(self):
            return self.row

        def close(self): ...
    """


def test_a_driver_without_a_probe_is_asked_through_its_dialect(tmp_path: Path) -> None:
    """A connection that no driver's probe saw is asked as the pool gets it; a stand-in is left alone."""
    program = """\
        import types
        import unseen
        from sqlalchemy import create_engine, text
        from unittest.mock import MagicMock

        engine = create_engine("sqlite:///it.db", module=unseen)
        with engine.connect() as connection:
            connection.execute(text("select 1"))

        mock = MagicMock()
        pymysql = types.SimpleNamespace(
            paramstyle="format", Error=ValueError, version_info=(1, 4, 0), __version__="1.4", __name__="pymysql",
        )
        mocked = create_engine("mysql+pymysql://me@host/db", creator=lambda: mock, module=pymysql)
        try:
            mocked.connect()
        except Exception as error:
            print(type(error))
        assert not [call for call in mock.mock_calls if "server_uuid" in str(call)], mock.mock_calls
        """
    seen = run(tmp_path, {"it.py": program, "unseen.py": UNSEEN}, "it.py")
    asked, stand_in = seen.of("connection")
    assert asked["observed"]["file"].endswith("it.db")
    assert stand_in["observed"] is None
    assert stand_in["why_not"] == "the connection is a replacement, not the driver's own"


TRANSACTIONS = {
    "conftest.py": """\
        import pytest
        from sqlalchemy import create_engine, text
        from sqlalchemy.orm import Session

        engine = create_engine("sqlite:///it.db")
        with engine.begin() as connection:
            connection.execute(text("create table t (x)"))
            connection.execute(text("create table other (x)"))

        @pytest.fixture
        def row():
            with Session(engine) as session:
                session.execute(text("insert into t values (1)"))
                yield session
                session.rollback()
        """,
    "test_it.py": """\
        from sqlalchemy import text
        from sqlalchemy.orm import Session
        from conftest import engine
        import pytest

        left = []

        def test_reads_what_is_not_committed(row):
            with Session(engine) as session:
                assert session.scalar(text("select count(*) from t")) == 0
                session.execute(text("select x from other"))
            assert row.scalar(text("select count(*) from t")) == 1

        def test_reads_what_is_committed(row):
            row.commit()
            with Session(engine) as session:
                assert session.scalar(text("select count(*) from t")) == 1

        def test_leaves_open():
            session = Session(engine)
            session.execute(text("insert into other values (1)"))
            left.append(session)

        def test_next():
            left[0].execute(text("select x from other"))

        @pytest.fixture(scope="module")
        def whole():
            with engine.connect() as connection:
                with connection.begin() as transaction:
                    connection.execute(text("select x from t"))
                    yield connection
                    transaction.rollback()

        def test_joins(whole):
            with Session(whole, join_transaction_mode="create_savepoint") as session:
                session.execute(text("select x from other"))
                session.commit()

        def test_joins_too(whole): ...
        """,
}


@pytest.fixture(scope="module")
def transactions(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return run(tmp_path_factory.mktemp("transactions"), TRANSACTIONS, "-m", "pytest", "-p", "no:cacheprovider")


def test_rows_that_are_not_committed_are_told_to_be_unseen(transactions: Seen) -> None:
    """Reading a table while another session's rows in it are not committed is told, with both places; no more."""
    event = transactions.one("unseen", test="test_it.py::test_reads_what_is_not_committed")
    assert (event["table"], event["written_by"]) == ("t", "row")
    assert transactions.of("unseen", test="test_it.py::test_reads_what_is_committed") == []
    assert transactions.places(event)[0].startswith("test_it.py:10 ")
    unseen = transactions.evidence().unseen[0]
    assert str(transactions.evidence().stacks[unseen.written_at][0]) == "conftest.py:13 row"
    assert unseen.reading != unseen.writing


def test_a_transaction_that_is_left_open_is_told_once(transactions: Seen) -> None:
    """A transaction that is open when its test has ended is told once, with who began it and what it wrote to."""
    left = {event["begun_in"].rpartition("::")[2]: event for event in transactions.of("left_open")}
    assert set(left) == {"test_leaves_open", "test_joins"}
    assert len(transactions.of("left_open")) == 2
    event = left["test_leaves_open"]
    assert (event["test"], event["tables"], event["begun_by"]) == ("test_it.py::test_leaves_open", ["other"], None)
    assert (left["test_joins"]["begun_by"], left["test_joins"]["begun_scope"]) == ("whole", "module")
