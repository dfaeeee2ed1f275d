"""Where a URL came from is said in a clause, whichever way it was set."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.analysis.reach import reaches
from kit.analysis.url_source import leads_to
from kit.analysis.url_source_text import describe_url_source
from kit.evidence.model import Evidence, SettingsFile
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
