"""Changes of the clean specimen that single experiments need beside the mechanisms.

A trial takes them among its mechanisms. A variant that brings an override of its own goes with the attempt `none`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kit.attempts import CONFTEST
from kit.edits import Edit, diff, edited
from kit.mechanisms import DATABASE, clean_specimen


@dataclass(frozen=True, slots=True)
class Variant:
    """One change that an experiment needs: what it makes of the project in one sentence (`does`), and its edits."""

    name: str
    title: str
    does: str
    edits: tuple[Edit, ...]

    def diff(self) -> str:
        """The clean specimen against the same with this variant, as a unified diff."""
        return diff(clean_specimen(), edited(clean_specimen(), self.edits))


API_TEST = "tests/test_api_sites.py"
INTEGRATION_TEST = "tests/integration/test_deployed_sites.py"

# When the engine is made, and from which variable.

_LAZY_ENGINE = (
    Edit(
        DATABASE,
        "from collections.abc import AsyncIterator\n\n",
        "from collections.abc import AsyncIterator\nfrom functools import cache\n\n",
    ),
    Edit(
        DATABASE,
        "import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine\n",
        "import AsyncEngine, AsyncSession, create_async_engine\n",
    ),
    Edit(
        DATABASE,
        """\
engine = create_async_engine(settings.database_url(), **settings.ENGINE_OPTIONS)
SessionLocal = async_sessionmaker(engine, expire_on_commit=False)


""",
        "",
    ),
    Edit(
        DATABASE,
        """\
def get_async_engine_instance() -> AsyncEngine:
    return engine
""",
        '''\
@cache
def get_async_engine_instance() -> AsyncEngine:
    """The engine, made when it is first asked for."""
    return create_async_engine(settings.database_url(), **settings.ENGINE_OPTIONS)


def SessionLocal() -> AsyncSession:
    return AsyncSession(get_async_engine_instance(), expire_on_commit=False)
''',
    ),
)

_COLLECTED_VARIABLE = (
    Edit(
        INTEGRATION_TEST,
        "from app.models import Site\n",
        """\
from app.models import Site

os.environ["INTEGRATION_DATABASE_URL"] = os.environ["PRODUCTION_DATABASE_URL"]
""",
    ),
)

# What the report ruled out, made guilty.

_CONFTEST_NOT_LOADED = (Edit("pytest.ini", "testpaths = tests\n", "testpaths = tests\naddopts = --noconftest\n"),)

_OVERRIDE_CLEARED = (
    Edit(
        API_TEST,
        "from uuid import uuid4\n\nfrom app.models import Site\n",
        '''\
from uuid import uuid4

import pytest

from app.main import app
from app.models import Site


@pytest.fixture(autouse=True)
def nothing_left_over(client):
    """No test meets the overrides of another."""
    app.dependency_overrides.clear()
''',
    ),
)

_ROWS_LEFT = (
    Edit(CONFTEST, "from sqlalchemy import delete, text\n", "from sqlalchemy import text\n"),
    Edit(CONFTEST, "        await connection.execute(delete(Site))\n", ""),
    Edit(CONFTEST, "from app.models import Site  # noqa: E402\n", ""),
)

VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        variant.name: variant
        for variant in (
            Variant(
                "lazy_engine",
                "Lazy engine",
                "The engine is made when a session first needs it, not when the application is imported.",
                _LAZY_ENGINE,
            ),
            Variant(
                "collected_variable",
                "Variable set at collection",
                "The module of the integration tests sets their variable when pytest imports it.",
                _COLLECTED_VARIABLE,
            ),
            Variant(
                "conftest_not_loaded",
                "conftest.py not loaded",
                "An option in pytest.ini keeps pytest from loading any conftest.py.",
                _CONFTEST_NOT_LOADED,
            ),
            Variant(
                "override_cleared",
                "Override gone when it is needed",
                "A test module's own fixture clears all overrides after they were set and before the request.",
                _OVERRIDE_CLEARED,
            ),
            Variant(
                "rows_left",
                "Rows left in the test database",
                "The fixture does not empty the table, so that a test meets the rows of the tests before it.",
                _ROWS_LEFT,
            ),
        )
    }
)
