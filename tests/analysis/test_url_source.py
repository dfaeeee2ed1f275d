"""Where a URL came from is said in a clause, whichever way it was set."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.analysis.reach import reaches
from kit.analysis.url_source import leads_to, read_at, source_of, writer
from kit.analysis.url_source_text import describe_url_source
from kit.evidence.model import Evidence, Frame, SettingsFile
from tests.analysis.seen_runs import BY_APPLICATION, BY_ENGINE, PRODUCTION, leak, variable, without_engine

URL = f"sqlite:///{PRODUCTION}"
READ = (variable("inherited", "DB", 0.0, BY_ENGINE, URL), variable("read", "DB", 1.0, BY_APPLICATION, URL))
IN_FILE = replace(
    leak(files=((".env", 3, "DB"),)),
    settings_files=(SettingsFile(at_s=1.0, file=".env", entries=((3, "DB", URL),)),),
)
SERVER = {"url": "postgresql://me@db:6543/shop", "dialect": "postgresql", "driver": "psycopg"}


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (leak(*READ, variables=("DB",)), "comes from DB, last written by the environment of the command"),
        (without_engine(leak(*READ)), "comes from DB, last written by the environment of the command"),
        (leak(variable("missing", "DB", 1.0, BY_APPLICATION, URL)), "the default for DB, which was not set at app/c"),
        (IN_FILE, "comes from DB in .env:3"),
        (
            leak(
                variable("set", "DB_HOST", 1.0, BY_APPLICATION, "db"),
                variable("read", "DB_HOST", 1.1, BY_APPLICATION, "db"),
                **SERVER,
            ),
            "parts (host from DB_HOST=db)",
        ),
        (leak(held_by=("app.config.URL",)), "it is written in the program, as app.config.URL"),
    ],
    ids=["variable", "connection", "default", "file", "parts", "text"],
)
def test_it_is_said_where_a_place_came_from(evidence: Evidence, said: str) -> None:
    """A variable with its last writer, what was missing with its reader, a file with its line."""
    (reach,) = reaches(evidence, "/project")
    assert said in describe_url_source(evidence, reach)


@pytest.mark.parametrize(
    ("value", "configured", "names"),
    [
        ("postgresql://app:***@db:5432/sites", "postgresql://app@db:5432/sites?hostaddr=10.0.0.5", True),
        ("postgresql+asyncpg://db/sites", "postgresql://app@db:5432/sites", True),
        ("postgresql://app:***@db/sites", "postgresql://other@db:5432/sites", False),
        ("postgresql://app:***@db:5433/sites", "postgresql://app@db:5432/sites", False),
        ("postgresql://app:***@db:5432/other", "postgresql://app@db:5432/sites", False),
        ("redis://db", "postgresql://app@db:5432/sites", False),
    ],
)
def test_a_variable_is_known_however_the_driver_says_where_it_went(value: str, configured: str, names: bool) -> None:
    """A driver names the address beside the host, and leaves out the password: the same server is the same source."""
    (reach,) = reaches(without_engine(leak()), "/project")
    assert leads_to(value, replace(reach, connection=replace(reach.connection, configured=configured))) is names


def test_an_engine_whose_variables_no_probe_compared_has_an_unknown_source() -> None:
    """That nothing was compared with its URL is not that no variable holds it."""
    evidence = leak(variables=None)
    assert source_of(evidence, evidence.engines[0]).kind == "unknown"
    assert source_of(leak(variables=()), leak(variables=()).engines[0]).kind == "text"


def test_a_variable_that_a_library_loads_is_told_with_the_file_and_the_library() -> None:
    """The line is in the library, so that the file is what to look at."""
    loaded = variable("set", "DB", 1.0, 0, URL, written_by="dotenv.main")
    in_file = SettingsFile(at_s=0.5, file=".env", entries=((3, "DB", URL),))
    evidence = Evidence(stacks=((Frame("site-packages/dotenv/main.py", 9, "load"),),), settings_files=(in_file,))
    assert writer(evidence, loaded) == ".env:3 (dotenv)"
    assert writer(Evidence(stacks=((),)), loaded) == "no code of the project"


def test_the_line_that_read_a_part_last_before_an_engine_was_made_is_known() -> None:
    """Neither a later line nor a line of a library is the application's."""
    reads = tuple(variable("read", "DB_HOST", at_s, stack, "db") for at_s, stack in ((1.0, 0), (2.0, 1), (6.0, 0)))
    evidence = replace(leak(*reads))
    (engine,) = evidence.engines
    assert read_at(evidence, engine, "DB_HOST") == evidence.stacks[1][0]
    assert read_at(evidence, engine, "DB_PORT") is None
    by_library = replace(evidence, stacks=((Frame("site-packages/environs.py", 3, "str"),),) * 4)
    assert read_at(by_library, engine, "DB_HOST") is None
