"""Where the wrong place came from: a variable set too late, under another name, there from the start, or a file."""

from __future__ import annotations

from dataclasses import replace

from kit.detectors.files import dotenv_precedence
from kit.evidence.model import Frame, SettingsFile
from tests.analysis.seen_runs import (
    BY_APPLICATION,
    BY_ENGINE,
    BY_TESTS,
    PRODUCTION,
    TEST,
    found,
    leak,
    variable,
    without_engine,
)


def test_a_variable_that_was_asked_for_too_early_is_named() -> None:
    """Settings that were kept from before the tests set the variable are told with who asked, and who keeps them."""
    (finding,) = found(
        leak(
            variable("missing", "DATABASE_URL", 1.0, BY_APPLICATION),
            variable("set", "DATABASE_URL", 2.0, BY_TESTS, f"sqlite:///{TEST}"),
            held_by=("app.config.get_settings().url",),
        )
    )
    assert (finding.kind, finding.where) == ("env-set-too-late", "tests/conftest.py:4")
    assert "app/config.py:7" in finding.message
    assert "kept by app.config.get_settings().url" in finding.message


def test_the_test_in_which_a_kept_value_was_read_is_named() -> None:
    """Alone the test passes: who made the application keep the old value is the other test, which is told."""
    (finding,) = found(
        leak(
            variable("missing", "DATABASE_URL", 1.0, BY_APPLICATION, test="tests/test_about.py::test_title"),
            variable("set", "DATABASE_URL", 2.0, BY_TESTS, f"sqlite:///{TEST}", test="tests/test_it.py::test_it"),
            held_by=("app.config.get_settings().url",),
        )
    )
    assert "app/config.py:7 (module) in tests/test_about.py::test_title (it was not set then)" in finding.message


def test_what_is_asked_for_again_was_not_too_late() -> None:
    """A variable that the application asks for once more, after it was set, explains nothing."""
    kinds = {finding.kind for finding in found(
        leak(
            variable("missing", "DATABASE_URL", 1.0, BY_APPLICATION),
            variable("set", "DATABASE_URL", 2.0, BY_TESTS, f"sqlite:///{TEST}"),
            variable("read", "DATABASE_URL", 3.0, BY_APPLICATION, f"sqlite:///{TEST}"),
        )
    )}  # fmt: skip
    assert kinds == {"engine-not-replaced"}


def test_a_variable_that_nobody_asks_for_is_named_with_the_one_that_is() -> None:
    """A variable of another name than the settings ask for is set in vain; a look at all of them is no asking."""
    (finding,) = found(
        leak(
            variable("set", "DATABASE_URL", 1.0, BY_TESTS, f"sqlite:///{TEST}"),
            variable("read", "DATABASE_URL", 2.0, BY_APPLICATION, f"sqlite:///{TEST}", whole=True),
            variable("missing", "PGHOST", 2.0, BY_APPLICATION),
            variable("missing", "SHOP_DATABASE_URL", 2.1, BY_APPLICATION),
        )
    )
    assert (finding.kind, finding.where) == ("variable-not-asked-for", "tests/conftest.py:4")
    assert finding.about.wanted == "SHOP_DATABASE_URL"


def test_a_variable_that_is_there_from_the_start_is_named_where_it_is_read() -> None:
    """Without an engine, too, the variable that holds the place is found, and the line that prefers it."""
    (finding,) = found(
        without_engine(
            leak(
                variable("inherited", "REPORT_DB", 0.0, BY_ENGINE, PRODUCTION),
                variable("set", "DATABASE_URL", 1.0, BY_TESTS, TEST),
                variable("read", "REPORT_DB", 8.0, BY_APPLICATION, PRODUCTION),
            )
        )
    )
    assert (finding.kind, finding.where) == ("variable-precedence", "app/config.py:7")
    assert "not from DATABASE_URL" in finding.message


def test_setdefault_that_found_the_variable_there_is_the_culprit() -> None:
    """The tests meant to set it, and the shell had done so before."""
    (finding,) = found(
        leak(
            variable("inherited", "DATABASE_URL", 0.0, BY_ENGINE, f"sqlite:///{PRODUCTION}"),
            variable("kept", "DATABASE_URL", 1.0, BY_TESTS, f"sqlite:///{PRODUCTION}"),
            variable("read", "DATABASE_URL", 2.0, BY_APPLICATION, f"sqlite:///{PRODUCTION}"),
            variables=("DATABASE_URL",),
        )
    )
    assert (finding.kind, finding.where) == ("variable-precedence", "tests/conftest.py:4")


def test_a_variable_that_nobody_meant_to_change_is_told_where_it_is_read() -> None:
    """What was inherited, and is all that there is, is named with its reader."""
    (finding,) = found(
        leak(
            variable("inherited", "DATABASE_URL", 0.0, BY_ENGINE, f"sqlite:///{PRODUCTION}"),
            variable("read", "DATABASE_URL", 2.0, BY_APPLICATION, f"sqlite:///{PRODUCTION}"),
            variables=("DATABASE_URL",),
        )
    )
    assert (finding.kind, finding.where) == ("variable-inherited", "app/config.py:7")


def test_a_settings_file_is_named_with_who_loads_it() -> None:
    """A dotenv file that the tests load, from wherever it was found, is reported with its line."""
    file = SettingsFile(at_s=1.0, stack=BY_TESTS, file="/.env", entries=((3, "DATABASE_URL", f"sqlite:///{PRODUCTION}"),))
    evidence = leak(
        variable("set", "DATABASE_URL", 1.0, BY_TESTS, f"sqlite:///{PRODUCTION}", written_by="dotenv.main"),
        variables=("DATABASE_URL",),
        files=(("/.env", 3, "DATABASE_URL"),),
    )
    (finding,) = found(replace(evidence, settings_files=(file,)))
    assert (finding.kind, finding.where) == ("settings-file", "tests/conftest.py:4")
    assert "/.env:3 (outside the folder in which the command ran)" in finding.message


def test_a_loaded_file_that_goes_before_another_is_the_culprit() -> None:
    """What a loader puts into the environment goes before the file that the settings read: its line is named."""
    wrong, right = f"sqlite:///{PRODUCTION}", "sqlite:////project/test.db"
    evidence = leak(
        variable("set", "DATABASE_URL", 1.0, BY_APPLICATION, wrong, written_by="dotenv.main"),
        variables=("DATABASE_URL",),
    )
    files = (
        SettingsFile(at_s=0.9, stack=BY_APPLICATION, file=".env", entries=((1, "DATABASE_URL", wrong),)),
        SettingsFile(at_s=2.0, stack=BY_APPLICATION, file=".env.test", entries=((4, "DATABASE_URL", right),)),
    )
    (finding,) = found(replace(evidence, settings_files=files))
    assert (finding.kind, finding.where) == ("dotenv-precedence", "app/config.py:7")
    assert f"takes precedence over DATABASE_URL={right} in .env.test:4" in finding.message


def test_a_loader_that_replaces_what_a_plugin_set_is_the_culprit() -> None:
    """pytest-env sets the tests' value in the environment: a file loaded over it is told as that, with its remedy."""
    wrong, right = f"sqlite:///{PRODUCTION}", "sqlite:////project/test.db"
    evidence = leak(
        variable("set", "DATABASE_URL", 1.0, 4, right, written_by="pytest_env.plugin"),
        variable("set", "DATABASE_URL", 2.0, BY_APPLICATION, wrong, written_by="dotenv.main"),
        variables=("DATABASE_URL",),
    )
    files = (
        SettingsFile(at_s=0.5, stack=4, file="pytest.ini", entries=((3, "DATABASE_URL", right),)),
        SettingsFile(at_s=1.9, stack=BY_APPLICATION, file=".env", entries=((1, "DATABASE_URL", wrong),)),
    )
    plugin = (Frame("site-packages/pytest_env/plugin.py", 30, "pytest_load_initial_conftests"),)
    (finding,) = found(replace(evidence, stacks=(*evidence.stacks, plugin), settings_files=files))
    assert (finding.kind, finding.where) == ("dotenv-precedence", "app/config.py:7")
    assert f"comes from .env via dotenv.main at app/config.py:7; it replaced the value {right}" in finding.message
    assert "set by pytest.ini:3" in finding.message
    assert "override=False" in dotenv_precedence.advice(finding)


def test_a_mode_under_another_name_is_told_as_a_variable_would_be() -> None:
    """What names no database can decide which one is used: APP_ENV, where the tests set another name."""
    evidence = leak(held_by=("app.config.URL",))
    modes = (
        variable("set", "APP_ENVIRONMENT", 1.0, BY_TESTS, "test"),
        variable("missing", "APP_ENV", 2.0, BY_APPLICATION),
    )
    (finding,) = found(replace(evidence, modes=modes))
    assert (finding.kind, finding.where, finding.about.wanted) == (
        "variable-not-asked-for", "tests/conftest.py:4", "APP_ENV",
    )  # fmt: skip


def test_a_mode_that_was_set_too_late_is_told() -> None:
    """The tests' own mode came after the application had asked for it."""
    modes = (
        variable("missing", "TESTING", 1.0, BY_APPLICATION),
        variable("set", "TESTING", 2.0, BY_TESTS, "1"),
    )
    (finding,) = found(replace(leak(), modes=modes))
    assert (finding.kind, finding.where) == ("env-set-too-late", "tests/conftest.py:4")


def test_what_was_reached_in_no_test_is_told_as_outside_the_tests() -> None:
    """At import no test runs: the message does not say that something happened in one."""
    evidence = leak(
        variable("missing", "DB", 1.0, BY_APPLICATION, f"sqlite:///{PRODUCTION}"),
        variable("set", "DB", 6.0, BY_TESTS, f"sqlite:///{TEST}"),
    )
    early = replace(evidence, uses=tuple(replace(use, test=None, phase="collection") for use in evidence.uses))
    (finding,) = found(early)
    assert finding.message.endswith("The change has no effect: prod.db answered outside the tests.")


def test_a_variable_that_is_not_there_is_told_with_who_asks() -> None:
    """Where nobody sets what the application asks for, the line that asks is the place to go to."""
    (finding,) = found(leak(variable("missing", "DATABASE_URL", 1.0, BY_APPLICATION), held_by=("app.config.URL",)))
    assert (finding.kind, finding.where) == ("variable-missing", "app/config.py:7")
    assert "kept by app.config.URL" in finding.message


def test_an_engine_from_a_default_that_nothing_sets_is_told_with_the_variable() -> None:
    """Where the URL is what was taken instead of a variable, the finding names that, and what asked for it."""
    (finding,) = found(
        leak(
            variable("missing", "AUDIT_URL", 1.0, BY_APPLICATION, f"sqlite:///{PRODUCTION}"),
            variable("missing", "OTHER_URL", 1.5, BY_APPLICATION, "sqlite:////project/other.db"),
        )
    )
    assert (finding.kind, finding.where, finding.about.variable) == (
        "variable-missing", "app/config.py:7", "AUDIT_URL",
    )  # fmt: skip


def test_a_variable_that_was_set_after_its_default_was_taken_is_too_late() -> None:
    """The default decided, whichever other variables were missing."""
    (finding,) = found(
        leak(
            variable("missing", "OTHER_URL", 0.5, BY_APPLICATION, "sqlite:////project/other.db"),
            variable("missing", "AUDIT_URL", 1.0, BY_APPLICATION, f"sqlite:///{PRODUCTION}"),
            variable("set", "OTHER_URL", 2.0, BY_TESTS, f"sqlite:///{TEST}"),
            variable("set", "AUDIT_URL", 3.0, BY_TESTS, f"sqlite:///{TEST}"),
        )
    )
    assert (finding.kind, finding.about.variable) == ("env-set-too-late", "AUDIT_URL")


def test_what_a_module_sets_as_it_is_imported_is_not_the_tests_doing() -> None:
    """A loader of variables that runs when the tests import the application has not come too late."""
    evidence = leak(
        variable("missing", "DATABASE_URL", 1.0, BY_APPLICATION),
        variable("set", "DATABASE_URL", 1.1, 4, f"sqlite:///{PRODUCTION}"),
    )
    loading = (evidence.stacks[BY_ENGINE][0], evidence.stacks[BY_TESTS][0])
    kinds = {finding.kind for finding in found(replace(evidence, stacks=(*evidence.stacks, loading)))}
    assert "env-set-too-late" not in kinds


def test_a_session_that_was_opened_before_the_test_is_the_culprit() -> None:
    """A session goes on with the engine that it was made for, whatever stands in that one's place."""
    evidence = leak()
    (session,) = evidence.sessions
    early = replace(session, at_s=1.0, phase="collection", test=None)
    (finding,) = found(replace(evidence, sessions=(early,)))
    assert (finding.kind, finding.where) == ("session-kept", "app/db.py:9")


def test_the_variable_whose_default_was_taken_is_the_one_that_is_wanted() -> None:
    """Of several that are missing it is the one for which the place stood in, however the others are called."""
    (finding,) = found(
        leak(
            variable("set", "DATABASE_URL", 1.0, BY_TESTS, f"sqlite:///{TEST}"),
            variable("missing", "MY_DATABASE_URL", 2.0, BY_APPLICATION),
            variable("missing", "STORE", 2.1, BY_APPLICATION, f"sqlite:///{PRODUCTION}"),
        )
    )
    assert (finding.kind, finding.about.wanted) == ("variable-not-asked-for", "STORE")


def test_a_part_that_nothing_reads_is_not_where_a_place_came_from() -> None:
    """A variable of the same value is no part of the URL unless it was read; libpq reads its own unseen."""
    modern = {"url": "postgresql://me@db.example:6543/shop", "dialect": "postgresql", "driver": "psycopg"}
    (finding,) = found(
        leak(
            variable("inherited", "OTHER_HOST", 0.1, BY_APPLICATION, "db.example"),
            variable("inherited", "PGPORT", 0.2, BY_APPLICATION, "6543"),
            **modern,
        )
    )
    told = [fact.what for fact in finding.evidence if fact.what.startswith("its ")]
    assert told[1:] == ["its port is PGPORT=6543, from the environment of the command"]


def test_a_place_that_was_put_together_is_told_part_by_part() -> None:
    """Where no variable holds the URL whole, each part is told with the variable that it came from."""
    modern = {"url": "postgresql://me@db.example:6543/shop", "dialect": "postgresql", "driver": "psycopg"}
    (finding,) = found(
        leak(
            variable("inherited", "DB_HOST", 0.1, BY_APPLICATION, "db.example"),
            variable("missing", "DB_PORT", 0.2, BY_APPLICATION, "6543"),
            variable("set", "DB_NAME", 1.0, BY_TESTS, "shop"),
            variable("read", "DB_HOST", 1.1, BY_APPLICATION, "db.example"),
            variable("read", "DB_NAME", 1.2, BY_APPLICATION, "shop"),
            **modern,
        )
    )
    told = [fact.what for fact in finding.evidence if fact.what.startswith("its ")]
    assert told[1:] == [
        "its host is DB_HOST=db.example, from the environment of the command",
        "its port is DB_PORT=6543, was not set, so that this default is used",
        "its database is DB_NAME=shop, from tests/conftest.py:4",
    ]


def test_of_two_variables_that_hold_the_same_the_one_that_was_asked_for_is_named() -> None:
    """Where both were asked for, or neither, each can have led there, and both are named."""
    inherited = tuple(
        variable("inherited", name, 0.0, BY_ENGINE, f"sqlite:///{PRODUCTION}") for name in ("APP_URL", "REPLICA_URL")
    )
    reads = tuple(
        variable("read", name, 2.0, BY_APPLICATION, f"sqlite:///{PRODUCTION}") for name in ("APP_URL", "REPLICA_URL")
    )
    one = (*inherited, reads[0])
    for variables, said in ((one, "comes from APP_URL, from"), ((*one, reads[1]), "(or REPLICA_URL, which holds the")):
        (finding,) = found(leak(*variables, variables=("APP_URL", "REPLICA_URL")))
        assert said in finding.message
        (finding,) = found(without_engine(leak(*variables)))
        assert said.replace("REPLICA", "APP") in finding.message.replace("REPLICA", "APP")
    (finding,) = found(leak(*inherited, variables=("APP_URL", "REPLICA_URL")))
    assert "(or REPLICA_URL, which holds the same)" in finding.message
