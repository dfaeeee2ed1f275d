"""Each attempt is a small change of the tests, after the report's own code."""

from __future__ import annotations

import pytest

from kit.specimens.attempts import ATTEMPTS
from kit.specimens.build import project
from kit.specimens.mechanisms import clean_specimen

# Lines of the report's code, or of its update, that the attempt must hold.
FROM_THE_REPORT = {
    "dependency_override": ["app.dependency_overrides[get_db] = override_get_db", "app.dependency_overrides.clear()"],
    "fastapi_deps": [
        "from pytest_fastapi_deps import fastapi_dep", "with fastapi_dep(app).override({get_db: lambda: test_db}):",
    ],
    "module_mocking": ["db_module.get_db = mock_get_db", "db_module.get_async_engine_instance = mock_get_test_engine"],
    "fresh_app": ["disable_main_database_module()", "from app.main import create_app", "app = create_app()"],
}  # fmt: skip


def test_the_four_attempts_none_and_the_real_fix_with_its_halves_are_there() -> None:
    """Every remedy that the report tells of is there, under the name by which trials ask for it."""
    assert list(ATTEMPTS) == [
        "none", "dependency_override", "fastapi_deps", "module_mocking", "fresh_app",
        "variable_away", "persistent_session", "real_fix",
    ]  # fmt: skip
    assert all(name == attempt.name for name, attempt in ATTEMPTS.items())


@pytest.mark.parametrize("name", FROM_THE_REPORT)
def test_an_attempt_holds_the_reports_own_lines(name: str) -> None:
    """What an attempt adds has the lines of the report's listing in it, in their order."""
    added = [line[1:].strip() for line in ATTEMPTS[name].diff().splitlines() if line.startswith("+")]
    wanted = FROM_THE_REPORT[name]
    assert [line for line in added if line in wanted][-len(wanted) :] == wanted


@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_changes_the_tests_and_nothing_else(name: str) -> None:
    """The application and the CI script are the same with every attempt."""
    changed = {path for path, text in project((), name).items() if clean_specimen()[path] != text}
    assert all(path.startswith("tests/") for path in changed)
    assert (changed == set()) == (name == "none")


def test_no_attempt_imports_the_routes_before_the_fresh_app_does() -> None:
    """With the fresh app, the conftest imports app.main in its hook only, after the mocking."""
    conftest = project((), "fresh_app")["tests/conftest.py"]
    assert conftest.count("app.main") == 1
    assert conftest.index("    disable_main_database_module()\n") < conftest.index("app.main")


def test_the_real_fix_is_both_halves() -> None:
    """The real fix makes the edits of the persistent session and of the variable, and no other."""
    halves = ATTEMPTS["variable_away"].edits + ATTEMPTS["persistent_session"].edits
    assert set(ATTEMPTS["real_fix"].edits) == set(halves)


def test_an_attempt_can_be_shown_against_another() -> None:
    """The difference of two attempts leaves out what they have in common."""
    shown = ATTEMPTS["fresh_app"].diff(since=ATTEMPTS["module_mocking"])
    assert "+    app = create_app()" in shown
    assert "mock_get_db" not in shown
