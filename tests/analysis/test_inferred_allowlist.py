"""Without an allow-list the tests themselves show which databases are theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.analysis.inferred_allowlist import contradicting_reaches, unselected_reaches
from kit.analysis.reach import reaches
from kit.evidence.model import Callable, Connection, Evidence, Frame, Override, Setting, Use
from tests.analysis.seen_runs import BY_APPLICATION, BY_TESTS, PRODUCTION, TEST, leak, variable

OWN = Connection(
    at_s=8.0, stack=BY_TESTS, connection="c2", driver="sqlite3", configured=TEST, observed={"file": TEST}
)  # fmt: skip


def contradicting(evidence: Evidence) -> list[str]:
    """The databases that were reached that contradict the tests."""
    return [reach.database.name for reach in contradicting_reaches(evidence, reaches(evidence, "/project"))]


def with_own(tables: tuple[str, ...]) -> Evidence:
    """The run in which the tests use these tables of their own database, too."""
    evidence = leak()
    use = Use(at_s=8.0, stack=BY_TESTS, connection="c2", verb="insert", tables=tables, phase="setup", test="t.py::one")
    return replace(evidence, connections=(*evidence.connections, OWN), uses=(*evidence.uses, use))


def test_nothing_is_at_odds_where_the_tests_lead_nowhere() -> None:
    """One database, and nothing that names another one: nobody can tell."""
    assert contradicting(leak()) == []


@pytest.mark.parametrize(("tables", "expected"), [(("items",), ["prod.db"]), ((), []), (("pg_database",), [])])
def test_a_database_of_the_tests_own_is_where_they_lead(tables: tuple[str, ...], expected: list[str]) -> None:
    """What they only make databases by is no place of theirs, as a server's catalogue is not."""
    assert contradicting(with_own(tables)) == expected


def test_a_database_that_they_name_and_nobody_reached_is_where_they_lead() -> None:
    """Whichever variable names it, and whether or not anybody asked for that."""
    assert contradicting(leak(variable("set", "TEST_DB", 1.0, BY_TESTS, f"sqlite:///{TEST}"))) == ["prod.db"]
    assert contradicting(leak(variable("set", "TEST_DB", 1.0, BY_APPLICATION, f"sqlite:///{TEST}"))) == []
    both = (
        variable("set", "DB", 1.0, BY_TESTS, f"sqlite:///{PRODUCTION}"),
        variable("set", "TEST_DB", 1.1, BY_TESTS, f"sqlite:///{TEST}"),
    )
    assert contradicting(leak(*both, variables=("DB",))) == []


def test_what_one_test_sets_for_itself_says_nothing_of_another() -> None:
    """A test of the settings names databases that nobody means to reach."""
    elsewhere = variable("set", "DB", 1.0, BY_TESTS, f"sqlite:///{TEST}", test="tests/test_settings.py::test_url")
    assert contradicting(leak(elsewhere)) == []


def test_what_the_tests_call_the_application_for_is_their_own_doing() -> None:
    """A factory that they hand their URL makes the engine that they mean; a module that they import does not."""
    evidence = replace(with_own(("items",)), stacks=())
    by_tests, opener = Frame("tests/conftest.py", 4, "engine"), leak().stacks[1]
    for function, expected in (("make_engine", []), ("<module>", ["prod.db"])):
        made = Frame("app/db.py", 5, function), by_tests
        stacks = (made, opener, (by_tests,))
        assert contradicting(replace(evidence, stacks=stacks)) == expected, function


@pytest.mark.parametrize(
    ("scope", "set_in", "expected"),
    [
        (None, "t.py::one", ["prod.db"]), ("session", "t.py::one", []), (None, "tests/test_it.py::test_it", []),
        (None, None, []),
    ],
)  # fmt: skip
def test_an_override_that_outlived_its_test_contradicts(
    scope: str | None, set_in: str | None, expected: list[str]
) -> None:
    """One that a test set for itself is not meant for the next; one of a wider scope, or of nobody's test, is."""
    evidence = with_own(())
    (use, own) = evidence.uses
    known = tuple(
        Callable(callable=number, name=f"app.{number}", file="tests/conftest.py", line=4, type="function")
        for number in ("d1", "d2")
    )
    change = Override(at_s=7.0, op="set", key="d1", app="a1", by="d2", test=set_in, scope=scope)
    through = replace(use, dependency="d1", override="d2", request="r1")
    assert contradicting(replace(evidence, callables=known, overrides=(change,), uses=(through, own))) == expected


def test_what_the_application_names_in_its_own_text_is_at_odds_whoever_opens_it() -> None:
    """A connection of the tests' own to the file of the application's engine, where they use another one, too."""
    evidence = with_own(("items",))
    (use, own) = evidence.uses
    direct = replace(evidence.connections[0], stack=BY_TESTS, engine=None, pooled=False)
    by_tests = replace(use, stack=BY_TESTS, engine=None, session=None, tables=("items",))
    seen = replace(evidence, sessions=(), connections=(direct, OWN), uses=(by_tests, own))
    assert contradicting(seen) == ["prod.db"]
    assert contradicting(replace(seen, uses=(by_tests,), connections=(direct,))) == []  # they lead nowhere else
    assert contradicting(replace(seen, engines=())) == []  # nobody but the tests names it
    at_tests = replace(evidence.engines[0], stack=BY_TESTS)
    assert contradicting(replace(seen, engines=(at_tests,))) == []


def through_override(evidence: Evidence) -> Evidence:
    """The same run where an override of the tests opens what the application's engine leads to."""
    known = tuple(
        Callable(callable=number, name=f"app.{number}", file="tests/conftest.py", line=4, type="function")
        for number in ("d1", "d2")
    )
    change = Override(at_s=7.0, op="set", key="d1", app="a1", by="d2")
    through = replace(evidence.uses[0], dependency="d1", override="d2", request="r1")
    return replace(evidence, callables=known, overrides=(change,), uses=(through, *evidence.uses[1:]))


def test_an_engine_of_the_tests_that_nobody_uses_tells_where_they_meant_to_go() -> None:
    """An override leads to the application's own engine, and the tests have made one to no use."""
    evidence = through_override(leak())
    (engine,) = evidence.engines
    assert contradicting(evidence) == []
    for url, stack, expected in (
        (f"sqlite:///{TEST}", BY_TESTS, ["prod.db"]), (f"sqlite:///{TEST}", BY_APPLICATION, []),
        (f"sqlite:///{PRODUCTION}", BY_TESTS, []), ("sqlite://", BY_TESTS, []),
    ):  # fmt: skip
        unused = replace(engine, engine="e2", stack=stack, url=url, at_s=6.0)
        assert contradicting(replace(evidence, engines=(engine, unused))) == expected, url


def test_an_engine_that_connects_elsewhere_than_its_url_names_is_at_odds() -> None:
    """Though the URL comes from a variable of the tests; not where they themselves see to the connection."""
    named = variable("set", "DB", 1.0, BY_TESTS, f"sqlite:///{TEST}")
    evidence = leak(named, variables=("DB",), url=f"sqlite:///{TEST}")
    assert contradicting(evidence) == ["prod.db"]
    by_tests = tuple(replace(one, stack=BY_TESTS) for one in evidence.connections)
    assert contradicting(replace(evidence, connections=by_tests)) == []
    assert contradicting(leak(named, variables=("DB",))) == []


@pytest.mark.parametrize("other", [False, True])
def test_a_call_of_the_tests_names_no_file_where_they_use_another(other: bool) -> None:
    """A factory that they call makes the engine: of which of two files it was to be, the call does not tell."""
    evidence = with_own(("items",)) if other else leak()
    opener, by_tests = evidence.stacks[1], Frame("tests/conftest.py", 4, "engine")
    made = Frame("app/db.py", 5, "make_engine"), by_tests
    evidence = replace(evidence, stacks=(made, opener, (by_tests,)))
    names = [reach.database.name for reach in unselected_reaches(evidence, reaches(evidence, "/project"))]
    assert names == (["prod.db"] if other else [])


@pytest.mark.parametrize(("written_by", "expected"), [("pytest_env.plugin", []), ("app.settings", ["prod.db"])])
def test_what_a_plugin_of_pytest_sets_is_set_by_the_tests(written_by: str, expected: list[str]) -> None:
    """A variable from the tests' configuration selects a database, though no line of theirs sets it."""
    named = variable("set", "DB", 1.0, BY_APPLICATION, f"sqlite:///{PRODUCTION}", written_by=written_by)
    evidence = leak(named, variables=("DB",))
    names = [reach.database.name for reach in unselected_reaches(evidence, reaches(evidence, "/project"))]
    assert names == expected


def test_a_file_that_the_tests_name_is_where_they_meant_to_go() -> None:
    """A path in a variable, and the bare name of a file in a setting, are places though they are no URLs."""
    assert contradicting(leak(variable("set", "DB_FILE", 1.0, BY_TESTS, TEST))) == ["prod.db"]
    assert contradicting(leak(variable("set", "DB_FILE", 1.0, BY_TESTS, PRODUCTION))) == []
    setting = Setting(
        at_s=1.0, stack=BY_TESTS, name="app.settings.file", key="file", op="changed", value="test.db", before=""
    )
    assert contradicting(replace(leak(), settings=(setting,))) == ["prod.db"]
    assert contradicting(replace(leak(), settings=(replace(setting, value="yes"),))) == []


def on_a_server(evidence: Evidence) -> Evidence:
    """The same run, where what was reached is the database shop of the server db:5432."""
    connections = (
        replace(one, driver="psycopg", configured="postgresql://me@db:5432/shop", observed=None)
        for one in evidence.connections
    )
    return replace(evidence, connections=tuple(connections))


SHOP = {"url": "postgresql://me@db:5432/shop", "dialect": "postgresql", "driver": "psycopg"}


@pytest.mark.parametrize("path", ["", "/"])
@pytest.mark.parametrize(("server", "expected"), [("db:5432", []), ("db", []), ("db:5433", ["db:5432/shop"])])
def test_a_server_without_a_database_is_named_by_its_place(server: str, path: str, expected: list[str]) -> None:
    """Tests that name a server mean each of its databases; another port is another server."""
    named = variable("set", "SERVER", 1.0, BY_TESTS, f"postgresql://me@{server}{path}")
    assert contradicting(on_a_server(leak(named, **SHOP))) == expected


@pytest.mark.parametrize(("host", "expected"), [("db", []), ("other", ["db:5432/shop"])])
def test_tests_may_keep_several_databases_on_one_server(host: str, expected: list[str]) -> None:
    """An engine that the application makes for them is theirs where theirs is on the same server."""
    evidence = on_a_server(leak(**SHOP))
    by_tests, opener = Frame("tests/conftest.py", 4, "engine"), evidence.stacks[1]
    own = replace(
        evidence.connections[0], connection="c2", stack=BY_TESTS, engine=None, pooled=False,
        configured=f"postgresql://me@{host}:5432/shop_test",
    )  # fmt: skip
    use = replace(
        evidence.uses[0], connection="c2", stack=BY_TESTS, engine=None, session=None, tables=("items",), at_s=8.0
    )
    evidence = replace(
        evidence,
        stacks=((Frame("app/db.py", 5, "make_engine"), by_tests), opener, (by_tests,)),
        connections=(*evidence.connections, own),
        uses=(replace(evidence.uses[0], tables=("items",)), use),
    )
    names = [reach.database.name for reach in unselected_reaches(evidence, reaches(evidence, "/project"))]
    assert names == expected
