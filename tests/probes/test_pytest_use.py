from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.probes.seen import PYTEST, Seen, run

OPEN = "import sqlite3\n\ndef reach(name):\n    sqlite3.connect(f'{name}.db').execute('select 1')\n"
PROJECT = {
    "reaching.py": OPEN,
    "plugin_of_mine.py": "from reaching import reach\nreach('plugin')\n",
    "pytest.ini": "[pytest]\naddopts = -p plugin_of_mine\nasyncio_mode = auto\n",
    "conftest.py": """\
        import pytest
        from reaching import reach

        reach("conftest")

        def pytest_configure(config): reach("configure")
        def pytest_sessionstart(session): reach("sessionstart")
        def pytest_collection_modifyitems(items): reach("collected")
        def pytest_sessionfinish(session): reach("sessionfinish")

        @pytest.fixture(scope="session", autouse=True)
        def whole():
            reach("whole")
            yield
            reach("whole_end")

        @pytest.fixture
        def outer(): reach("outer")

        @pytest.fixture
        def each(outer):
            reach("each")
            yield
            reach("each_end")

        @pytest.fixture
        async def later():
            reach("later")
            yield
            reach("later_end")
        """,
    "test_one.py": """\
        import threading
        import unittest
        import pytest
        from reaching import reach

        reach("module")

        def test_passes(each): reach("passes")

        async def test_async(later): reach("async")

        @pytest.mark.parametrize("url", ["postgresql://me:s3cret@host/db"])
        def test_params(url): reach("params")

        def test_fails(): assert "s3cret" not in "password=s3cret"

        @pytest.mark.skip
        def test_skipped(): ...

        @pytest.mark.xfail
        def test_xfail(): assert 0

        @pytest.mark.xfail
        def test_xpass(): ...

        @pytest.fixture
        def broken(): raise LookupError("broken")

        def test_error(broken): ...

        @pytest.fixture
        def torn():
            yield
            raise LookupError("torn")

        def test_teardown(torn): ...

        def test_thread():
            thread = threading.Thread(target=reach, args=("thread",), name="mine")
            thread.start()
            thread.join()

        class TestUnit(unittest.TestCase):
            def setUp(self): reach("setup_unit")
            def test_unit(self): reach("unit")
        """,
    "test_two.py": "import no_such_module\n",
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("pytest")
    return run(folder, PROJECT, *PYTEST, "--continue-on-collection-errors", expect=1)


def reached(seen: Seen) -> dict[str, tuple[Any, ...]]:
    """When each file was reached: (phase, test, fixture and its scope, what was being collected)."""
    return {
        event["configured"].removesuffix(".db"): (
            event["phase"], (event.get("test") or "").rpartition("::")[2], event.get("fixture"), event.get("scope"),
            event.get("collecting"),
        )
        for event in seen.of("connection")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plugin", ("configure", "", None, None, None)),
        ("conftest", ("configure", "", None, None, None)),
        ("configure", ("configure", "", None, None, None)),
        ("sessionstart", ("configure", "", None, None, None)),
        ("module", ("collection", "", None, None, "test_one.py")),
        ("collected", ("collection", "", None, None, None)),
        ("whole", ("setup", "test_passes", "whole", "session", None)),
        ("outer", ("setup", "test_passes", "outer", "function", None)),
        ("each", ("setup", "test_passes", "each", "function", None)),
        ("passes", ("call", "test_passes", None, None, None)),
        ("each_end", ("teardown", "test_passes", None, None, None)),
        ("later", ("setup", "test_async", "later", "function", None)),
        ("async", ("call", "test_async", None, None, None)),
        ("later_end", ("teardown", "test_async", None, None, None)),
        ("thread", ("call", "test_thread", None, None, None)),
        ("setup_unit", ("call", "test_unit", None, None, None)),
        ("unit", ("call", "test_unit", None, None, None)),
        ("whole_end", ("teardown", "test_unit", None, None, None)),
        ("sessionfinish", ("finish", "", None, None, None)),
    ],
)
def test_when_a_database_was_reached(seen: Seen, name: str, expected: tuple[Any, ...]) -> None:
    """Plugins, conftest, collection, fixtures, tests, teardown and the end are told apart."""
    assert reached(seen)[name] == expected


def test_frames_name_plugin_and_conftest(seen: Seen) -> None:
    """What is reached outside tests is put down to the file that did it."""
    outer = {event["configured"]: seen.places(event)[-1] for event in seen.of("connection")}
    assert outer["plugin.db"] == "plugin_of_mine.py:2 <module>"
    assert outer["conftest.db"] == "conftest.py:4 <module>"
    assert outer["module.db"] == "test_one.py:6 <module>"


def test_a_thread_is_named(seen: Seen) -> None:
    """What a thread reaches has the thread's name."""
    event = next(event for event in seen.of("connection") if event["configured"] == "thread.db")
    assert event["thread"] == "mine"


def test_outcomes_are_pytests_own(seen: Seen) -> None:
    """Each outcome is told as pytest says it, with a message where there is one; errors of collection, too."""
    found = {
        (event["test"].rpartition("::")[2].partition("[")[0], event["when"]): event["outcome"]
        for event in seen.of("outcome")
    }
    assert found == {
        ("test_two.py", "collect"): "failed", ("test_passes", "call"): "passed", ("test_async", "call"): "passed",
        ("test_params", "call"): "passed", ("test_fails", "call"): "failed", ("test_skipped", "setup"): "skipped",
        ("test_xfail", "call"): "xfailed", ("test_xpass", "call"): "xpassed", ("test_error", "setup"): "failed",
        ("test_teardown", "call"): "passed", ("test_teardown", "teardown"): "failed", ("test_thread", "call"): "passed",
        ("test_unit", "call"): "passed",
    }  # fmt: skip
    assert "LookupError: broken" in seen.one("outcome", when="setup", outcome="failed")["message"]


def test_a_tests_name_and_message_hide_passwords(seen: Seen) -> None:
    """A URL among a test's parameters, or in its failure, is written down without its password."""
    assert any("[postgresql://me:***@host/db]" in event.get("test", "") for event in seen.of("use"))
    assert "me:s3cret" not in seen.text()
    assert "password=s3cret" not in seen.text()


def test_a_test_that_runs_pytest_keeps_its_place(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In a test that runs pytest in its own process, what comes after is still that test's."""
    files = {
        "reaching.py": OPEN,
        "conftest.py": "pytest_plugins = ['pytester']\n",
        "test_it.py": """\
            from reaching import reach

            def test_outer(pytester):
                pytester.makepyfile("import sqlite3\\ndef test_inner(): sqlite3.connect('inner.db')")
                assert pytester.inline_run().ret == 0
                reach("after")

            def test_next(): reach("next")
            """,
    }
    seen = run(tmp_path_factory.mktemp("nested"), files, *PYTEST)
    reached = seen.of("connection")
    tests = {event["configured"]: (event["test"].rpartition("::")[2], event["phase"]) for event in reached}
    assert tests == {
        "inner.db": ("test_inner", "call"), "after.db": ("test_outer", "call"), "next.db": ("test_next", "call"),
    }  # fmt: skip


def test_workers_of_xdist_are_seen(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Under pytest-xdist each worker tells of its own tests, and each outcome is told once."""
    files = {
        "reaching.py": OPEN,
        "test_it.py": """\
            import pytest
            from reaching import reach

            @pytest.mark.parametrize("number", range(6))
            def test_it(number): reach(f"it{number}")
            """,
    }
    seen = run(tmp_path_factory.mktemp("xdist"), files, *PYTEST, "-n", "2")
    evidence = seen.evidence()
    assert len(evidence.processes) == 3
    assert sorted(outcome.test for outcome in evidence.outcomes) == [f"test_it.py::test_it[{n}]" for n in range(6)]
    assert {connection.test for connection in evidence.connections} == {f"test_it.py::test_it[{n}]" for n in range(6)}
    assert all(process.ended for process in evidence.processes)


def test_workers_that_collect_different_tests_tell_no_secret(tmp_path: Path) -> None:
    """What pytest-xdist says of ids that differ between its workers is kept without them: one can hold a secret."""
    files = {
        "test_it.py": """\
            import os
            import pytest

            @pytest.mark.parametrize("password", [f"Zq7x-Hunter-{os.getpid()}"])
            def test_it(password): pass
            """,
    }
    seen = run(tmp_path, files, *PYTEST, "-n", "2", expect=1)
    assert "Hunter" in seen.output
    assert seen.one("outcome", when="collect")["message"].startswith("Different tests were collected")
    assert "Hunter" not in seen.text()
