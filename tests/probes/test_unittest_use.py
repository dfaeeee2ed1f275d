"""unittest by itself: each test is known with how it ended, and what it reached is put down to it, once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.probes.seen import Seen, run

PROJECT = {
    "reaching.py": "import sqlite3\n\ndef reach(name):\n    sqlite3.connect(f'{name}.db').execute('select 1')\n",
    "tests/__init__.py": "",
    "tests/test_one.py": """\
        import unittest
        from reaching import reach

        reach("module")

        class One(unittest.TestCase):
            @classmethod
            def setUpClass(cls): reach("class")

            def setUp(self): reach("set_up")

            def test_passes(self): reach("passes")

            def test_parts(self):
                for part in range(3):
                    with self.subTest(part=part):
                        self.assertNotEqual(part, 1)

            def test_fails(self): raise LookupError("password=s3cret")

            @unittest.skip("not now")
            def test_skipped(self): ...

            @unittest.expectedFailure
            def test_xfail(self): self.fail()

            @unittest.expectedFailure
            def test_xpass(self): ...

        class Later(unittest.IsolatedAsyncioTestCase):
            async def test_async(self): reach("async")
        """,
    "tests/test_broken.py": "import nowhere_to_be_found\n",
}
OUTCOMES = {
    "tests/test_one.py::Later::test_async": "passed",
    "tests/test_one.py::One::test_fails": "failed",
    "tests/test_one.py::One::test_parts": "failed",
    "tests/test_one.py::One::test_passes": "passed",
    "tests/test_one.py::One::test_skipped": "skipped",
    "tests/test_one.py::One::test_xfail": "xfailed",
    "tests/test_one.py::One::test_xpass": "xpassed",
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return run(tmp_path_factory.mktemp("unittest"), PROJECT, "-m", "unittest", expect=1)


def reached_in(seen: Seen, file: str) -> list[tuple[str | None, str]]:
    """The test and the phase of each connection to a file."""
    return [
        (event.get("test"), event["phase"]) for event in seen.of("connection") if event["configured"] == f"{file}.db"
    ]  # fmt: skip


def test_each_test_is_told_once_with_how_it_ended(seen: Seen) -> None:
    """A test with several parts is one; a module that cannot be imported is told, too."""
    outcomes = {event["test"]: event["outcome"] for event in seen.of("outcome")}
    assert outcomes == {**OUTCOMES, "unittest.loader._FailedTest.tests.test_broken": "failed"}
    assert len(seen.of("outcome")) == len(outcomes)
    assert "s3cret" not in seen.text()
    assert "LookupError" in seen.one("outcome", test="tests/test_one.py::One::test_fails")["message"]


def test_what_is_reached_is_put_down_to_its_test(seen: Seen) -> None:
    """The set-up of a test belongs to it; that of a class, and what modules do as they are loaded, to none."""
    assert reached_in(seen, "passes") == [("tests/test_one.py::One::test_passes", "call")]
    assert reached_in(seen, "async") == [("tests/test_one.py::Later::test_async", "call")]
    assert ("tests/test_one.py::One::test_passes", "call") in reached_in(seen, "set_up")
    assert reached_in(seen, "module") == [(None, "collection")]
    assert reached_in(seen, "class") == [(None, "setup")]


def test_pytest_tells_of_what_it_runs_itself(tmp_path: Path) -> None:
    """A test of unittest that pytest runs is told once, by its name there."""
    files = {name: text for name, text in PROJECT.items() if "broken" not in name}
    seen = run(tmp_path, files, "-m", "pytest", "-p", "no:cacheprovider", "tests", expect=1)
    tests = [event["test"] for event in seen.of("outcome")]
    assert set(tests) == set(OUTCOMES)
    assert all(tests.count(test) == 1 for test in OUTCOMES if "parts" not in test)  # each of which pytest may tell


def test_the_runner_prints_what_it_prints_without_probes(tmp_path: Path) -> None:
    """The dots, the errors and their traces are unittest's own."""
    with_probes = run(tmp_path / "a", PROJECT, "-m", "unittest", expect=1)
    without = run(tmp_path / "b", PROJECT, "-m", "unittest", probes=False, expect=1)
    told = [
        [line for line in seen.errors.replace(str(folder), "").splitlines() if not line.startswith("Ran ")]
        for seen, folder in ((with_probes, tmp_path / "a"), (without, tmp_path / "b"))
    ]
    assert told[0] == told[1], sys.version
