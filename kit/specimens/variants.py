"""Changes of the clean specimen that single notebooks need besides the mechanisms.

A trial names them among its mechanisms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kit.specimens.attempts import CONFTEST
from kit.specimens.edits import Diff, Edit, diff, edited
from kit.specimens.mechanisms import (
    APPLICATION_STARTED,
    COLLECTED_VARIABLE,
    DATABASE,
    LAZY_ENGINE,
    LIFESPAN_READS,
    MAIN,
    SETTINGS_FOLLOWED,
    clean_specimen,
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One change that a notebook needs: its effect on the project in one sentence (`does`), and its edits."""

    name: str
    title: str
    does: str
    edits: tuple[Edit, ...]

    def diff(self) -> Diff:
        """A unified diff from the clean specimen to the specimen with this variant."""
        return diff(clean_specimen(), edited(clean_specimen(), self.edits))


SETTINGS = "app/settings.py"
API_TEST = "tests/test_api_sites.py"

# When and where the engine is made.

_LAZY_FACTORY = (
    Edit(
        DATABASE,
        "from collections.abc import AsyncIterator\n",
        "from collections.abc import AsyncIterator\nfrom functools import cached_property\n",
    ),
    Edit(
        DATABASE,
        "engine = create_async_engine(",
        '''\

class SessionFactory(async_sessionmaker[AsyncSession]):
    """Makes sessions on its engine, and the engine with the first of them."""

    @cached_property
    def engine(self) -> AsyncEngine:
        return create_async_engine(''',
    ),
    Edit(
        DATABASE,
        "SessionLocal = async_sessionmaker(engine, expire_on_commit=False)\n",
        """\

    def __call__(self) -> AsyncSession:
        return super().__call__(bind=self.kw["bind"] or self.engine)


SessionLocal = SessionFactory(expire_on_commit=False)
""",
    ),
    Edit(DATABASE, "    return engine\n", "    return SessionLocal.engine\n"),
)

# Suspects that the report ruled out, made guilty.

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

_ROWS_LEFT = (Edit(CONFTEST, "        await connection.execute(delete(Site))\n", ""),)

# Rows that remain after the tests, and the tests' order.

_EVENT_LOOP = '@pytest.fixture(scope="session")\ndef event_loop():\n'

_ROWS_COUNTED = (
    Edit(
        CONFTEST,
        _EVENT_LOOP,
        '''\
@pytest_asyncio.fixture(autouse=True)
async def what_is_left(request):
    """Say after each test, its clean-up done, how many sites it left to the next one."""
    yield
    engine = create_async_engine(TEST_DATABASE_URL)
    async with engine.connect() as connection:
        count = await connection.scalar(text("select count(*) from sites"))
    await engine.dispose()
    request.config.get_terminal_writer().line(f"\\nSites left by {request.node.name}: {count}")


'''
        + _EVENT_LOOP,
    ),
)

_REVERSED_ORDER = (
    Edit(
        CONFTEST,
        "    loop.close()\n",
        """\
    loop.close()


def pytest_collection_modifyitems(items):
    items.reverse()
""",
    ),
)

# Connections that a pool keeps.

_OPTIONS = 'ENGINE_OPTIONS: dict[str, Any] = {"pool_size": 5}\n'

_NULL_POOL = (
    Edit(
        SETTINGS,
        "import os\nfrom typing import Any\n",
        "import os\nfrom typing import Any\n\nfrom sqlalchemy import NullPool\n",
    ),
    Edit(SETTINGS, _OPTIONS, 'ENGINE_OPTIONS: dict[str, Any] = {"poolclass": NullPool}\n'),
)

_PRE_PING = (
    Edit(SETTINGS, _OPTIONS, 'ENGINE_OPTIONS: dict[str, Any] = {"pool_size": 5, "pool_pre_ping": True}\n'),
)

_RECYCLE_HOURLY = (
    Edit(SETTINGS, _OPTIONS, 'ENGINE_OPTIONS: dict[str, Any] = {"pool_size": 5, "pool_recycle": 3600}\n'),
)

_RECYCLE_ALWAYS = (
    Edit(SETTINGS, _OPTIONS, 'ENGINE_OPTIONS: dict[str, Any] = {"pool_size": 5, "pool_recycle": 0}\n'),
)

_TEST_ENGINE_LINE = '    print(f"TEST ENGINE: Using database URL: {engine.url!r}")\n'

_POOL_DISPOSED = (
    Edit(
        CONFTEST,
        _TEST_ENGINE_LINE,
        """\
    from app.database import SessionLocal

    async with SessionLocal() as session:
        await session.bind.dispose()
"""
        + _TEST_ENGINE_LINE,
    ),
)

_POOL_WARMED_ON_TEST = (
    Edit(
        CONFTEST,
        _EVENT_LOOP,
        '''\
@pytest_asyncio.fixture(scope="session", autouse=True)
async def database_answers():
    """Stop at once when the application cannot reach its database."""
    from app.database import SessionLocal

    async with SessionLocal() as session:
        await session.execute(text("select 1"))


'''
        + _EVENT_LOOP,
    ),
)

_POOL_OF_ANOTHER_LOOP = (
    Edit(
        CONFTEST,
        _EVENT_LOOP,
        '''\
@pytest.fixture(scope="session", autouse=True)
def database_answers_at_all():
    """Stop at once when the application cannot reach its database."""
    from app.database import SessionLocal

    async def ask():
        async with SessionLocal() as session:
            await session.execute(text("select 1"))

    asyncio.new_event_loop().run_until_complete(ask())


'''
        + _EVENT_LOOP,
    ),
)

# What runs the lifespan.

_STARTUP_EVENT = (
    Edit(
        MAIN,
        "from collections.abc import AsyncIterator\nfrom contextlib import asynccontextmanager\n\n",
        "",
    ),
    Edit(MAIN, "from app.database import get_async_engine_instance\n", "from app import crud\n"),
    Edit(
        MAIN,
        """\
@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await get_async_engine_instance().dispose()


""",
        "",
    ),
    Edit(
        MAIN,
        '    app = FastAPI(title="Site watch", lifespan=lifespan)\n',
        """\
    app = FastAPI(title="Site watch")

    @app.on_event("startup")
    async def watch() -> None:
        print(f"Watching {len(await crud.list_sites())} sites")

""",
    ),
)

_TEST_CLIENT_PLAIN = (
    Edit(
        "tests/test_documentation.py",
        "",
        """\
from fastapi.testclient import TestClient

from app.main import app


def test_documentation():
    assert TestClient(app).get("/openapi.json").status_code == 200
""",
    ),
)

_TEST_CLIENT_ENTERED = (
    Edit(
        "tests/test_documentation_started.py",
        "",
        """\
from fastapi.testclient import TestClient

from app.main import app


def test_documentation():
    with TestClient(app) as client:
        assert client.get("/openapi.json").status_code == 200
""",
    ),
)

# A cache in the application's own code.

_URL_CACHED = (
    Edit(
        SETTINGS,
        "import os\nfrom typing import Any\n",
        "import os\nfrom functools import lru_cache\nfrom typing import Any\n",
    ),
    Edit(SETTINGS, "def database_url() -> str:\n", "@lru_cache\ndef database_url() -> str:\n"),
)

_URL_ASKED_EARLY = (
    Edit(
        CONFTEST,
        "import asyncio\nimport os\n",
        "import asyncio\nimport os\n\nfrom app import settings\n\nassert settings.database_url()\n",
    ),
)

# Which app serves the request, and which one has the override.

_TRANSPORT = "    transport = httpx.ASGITransport(app=app)\n"

_FACTORY_TWICE = (
    Edit(CONFTEST, _TRANSPORT, "    from app.main import create_app\n\n" + _TRANSPORT),
    Edit(CONFTEST, "ASGITransport(app=app)", "ASGITransport(app=create_app())"),
)

_TWO_NAMES = (
    Edit("pytest.ini", "pythonpath = .\n", "pythonpath = . app\n"),
    Edit(
        CONFTEST,
        "from app.models import Site  # noqa: E402\n",
        "from database import get_db  # noqa: E402\nfrom app.models import Site  # noqa: E402\n",
    ),
)

_ROUTES_HANDED_OVER = (
    Edit(MAIN, ".include_router(sites.router)", ".router.routes.extend(sites.router.routes)"),
)

_OVERRIDE_ON_MOUNTED = (
    Edit(
        CONFTEST,
        "from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine\n",
        '''\
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from starlette.routing import Mount
''',
    ),
    Edit(
        CONFTEST,
        _TRANSPORT,
        '''\
    from app import database

    for route in app.routes:
        if isinstance(route, Mount):
            route.app.dependency_overrides[database.get_db] = lambda: test_db
'''
        + _TRANSPORT,
    ),
)

# Which module imports the application first, and when the tests configure it.

_CONFIGURED_IN_FIXTURE = (
    Edit(
        CONFTEST,
        '''\
# The application reads its settings when it is imported, so the test database is set before that.
os.environ["DATABASE_URL"] = TEST_DATABASE_URL

''',
        "",
    ),
    Edit(
        CONFTEST,
        '''\
def pytest_report_header():
    assert os.environ["DATABASE_URL"] == TEST_DATABASE_URL
    return f"VERIFIED: DATABASE_URL names the test database: {make_url(TEST_DATABASE_URL).database}"
''',
        '''\
@pytest.fixture(scope="session", autouse=True)
def configured():
    os.environ["DATABASE_URL"] = TEST_DATABASE_URL
''',
    ),
)

_CONFIGURED_FIRST = (
    Edit(
        CONFTEST,
        '''\
# The application reads its settings when it is imported, so the test database is set before that.
os.environ["DATABASE_URL"] = TEST_DATABASE_URL

''',
        '''\

@pytest.fixture(scope="session", autouse=True)
def all_configured():
    """Runs before the one that starts the application, because pytest takes such fixtures by their names."""
    os.environ["DATABASE_URL"] = TEST_DATABASE_URL


''',
    ),
    Edit(
        CONFTEST,
        '''\
def pytest_report_header():
    assert os.environ["DATABASE_URL"] == TEST_DATABASE_URL
    return f"VERIFIED: DATABASE_URL names the test database: {make_url(TEST_DATABASE_URL).database}"


''',
        "",
    ),
)

_MODULE_FIRST = (
    Edit(CONFTEST, "from app.database import Base  # noqa: E402\n", ""),
    Edit(CONFTEST, "from app.main import app  # noqa: E402\n", ""),
    Edit(CONFTEST, "from app.models import Site  # noqa: E402\n\n", ""),
    Edit(
        CONFTEST,
        '''\
    engine = create_async_engine(TEST_DATABASE_URL)
''',
        '''\
    from app.database import Base
    from app.models import Site

    engine = create_async_engine(TEST_DATABASE_URL)
''',
    ),
    Edit(
        CONFTEST,
        _TRANSPORT,
        '''\
    from app.main import app

'''
        + _TRANSPORT,
    ),
)

_PLUGIN_FIRST = (
    Edit(
        "app/testing.py",
        "",
        '''\
"""Fixtures for the tests of all who use the application."""

import pytest

from app.main import app


@pytest.fixture
def application():
    return app
''',
    ),
    Edit("pytest.ini", "testpaths = tests\n", "testpaths = tests\naddopts = -p app.testing\n"),
)

VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        variant.name: variant
        for variant in (
            Variant(
                "lazy_engine",
                "Lazy engine",
                "The engine is made when a session first needs it, not when the application is imported.",
                LAZY_ENGINE,
            ),
            Variant(
                "lazy_factory",
                "Lazy engine of the factory's own",
                "The session factory makes its engine when it is first called, and asks no function for it.",
                _LAZY_FACTORY,
            ),
            Variant(
                "collected_variable",
                "Variable set at collection",
                "The module of the integration tests sets their variable when pytest imports it.",
                COLLECTED_VARIABLE,
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
            Variant(
                "rows_counted",
                "Rows counted after each test",
                "After each test the rows that are then in the test database are counted.",
                _ROWS_COUNTED,
            ),
            Variant(
                "reversed_order",
                "Reversed order",
                "The last test runs first.",
                _REVERSED_ORDER,
            ),
            Variant(
                "settings_followed",
                "Engine that follows the settings",
                "Each new connection goes to where the settings point at that moment, not by the URL of the engine.",
                SETTINGS_FOLLOWED,
            ),
            Variant("null_pool", "NullPool", "The engine keeps no connection: each is closed after use.", _NULL_POOL),
            Variant(
                "pre_ping",
                "pool_pre_ping",
                "The pool asks a kept connection whether it still answers, before it hands it out.",
                _PRE_PING,
            ),
            Variant(
                "recycle_hourly",
                "pool_recycle=3600",
                "The pool replaces a kept connection that is older than an hour.",
                _RECYCLE_HOURLY,
            ),
            Variant(
                "recycle_always",
                "pool_recycle=0",
                "The pool replaces every kept connection before it hands it out again.",
                _RECYCLE_ALWAYS,
            ),
            Variant(
                "pool_disposed",
                "dispose() before each test",
                "The fixture empties the application's pool, so that what was kept until then is closed.",
                _POOL_DISPOSED,
            ),
            Variant(
                "pool_warmed_on_test",
                "Pool warmed on the test server",
                "The pool is filled while the settings name the test database.",
                _POOL_WARMED_ON_TEST,
            ),
            Variant(
                "pool_of_another_loop",
                "Pool filled in another event loop",
                "A connection is kept that belongs to an event loop in which no test runs.",
                _POOL_OF_ANOTHER_LOOP,
            ),
            Variant(
                "lifespan_reads",
                "Lifespan that reads",
                "The lifespan reads the sites in a session of its own; nothing in the tests runs it.",
                LIFESPAN_READS,
            ),
            Variant(
                "application_started",
                "Application started by a fixture",
                "A fixture of the whole run enters the application's lifespan, whatever that does.",
                APPLICATION_STARTED,
            ),
            Variant(
                "startup_event",
                "Start-up event that reads",
                "An event handler reads the sites at start-up, in place of a lifespan.",
                _STARTUP_EVENT,
            ),
            Variant(
                "test_client_plain",
                "TestClient without with",
                "One test more asks for the documentation, through a TestClient that is not entered.",
                _TEST_CLIENT_PLAIN,
            ),
            Variant(
                "test_client_entered",
                "TestClient with with",
                "One test more asks for the documentation, through a TestClient that is entered.",
                _TEST_CLIENT_ENTERED,
            ),
            Variant(
                "url_cached",
                "lru_cache on the settings",
                "What the settings answered first is what they answer from then on.",
                _URL_CACHED,
            ),
            Variant(
                "url_asked_early",
                "Settings asked early",
                "The conftest asks the settings for the URL before it sets the test database.",
                _URL_ASKED_EARLY,
            ),
            Variant(
                "factory_twice",
                "Factory called twice",
                "The client does not ask the module's app, but another one that the factory made for it.",
                _FACTORY_TWICE,
            ),
            Variant(
                "two_names",
                "Module under two names",
                "The conftest takes get_db from database, the routes take it from app.database: one file.",
                _TWO_NAMES,
            ),
            Variant(
                "routes_handed_over",
                "Routes handed over",
                "The app is given the router's routes as a list, in place of the router.",
                _ROUTES_HANDED_OVER,
            ),
            Variant(
                "override_on_mounted",
                "Override on the mounted app",
                "The override is set on every app that is mounted in the one that the tests know.",
                _OVERRIDE_ON_MOUNTED,
            ),
            Variant(
                "configured_in_fixture",
                "Configured in a fixture",
                "The test database is set by a fixture, after all test modules were imported.",
                _CONFIGURED_IN_FIXTURE,
            ),
            Variant(
                "configured_first",
                "Configured in the first fixture",
                "The test database is set by a fixture that runs before the one that starts the application.",
                _CONFIGURED_FIRST,
            ),
            Variant(
                "module_first",
                "A test module imports first",
                "The conftest imports the application in its fixtures only, so that a test module is the first.",
                _MODULE_FIRST,
            ),
            Variant(
                "plugin_first",
                "A plugin imports first",
                "A plugin, named in pytest.ini, imports the application before the conftest is loaded.",
                _PLUGIN_FIRST,
            ),
        )
    }
)
