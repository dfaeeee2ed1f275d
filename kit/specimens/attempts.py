"""The attempts against the failure: the report's four remedies, the real fix, and none.

Each is a small change of the clean specimen's tests/conftest.py, modelled on the report's own code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from kit.specimens.edits import Diff, Edit, Files, diff, edited, read

SPECIMEN = Path(__file__).parent / "project"
REPORTED_ATTEMPT = "dependency_override"
CONFTEST = "tests/conftest.py"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One remedy: its effect in one sentence (`does`), its section in the report, and its edits."""

    name: str
    title: str
    does: str
    reported_at: str
    edits: tuple[Edit, ...]

    def diff(self, since: Attempt | None = None) -> Diff:
        """A unified diff from the clean specimen, or from the attempt `since`, to this attempt."""
        clean = _without_attempt()
        return diff(edited(clean, since.edits) if since else clean, edited(clean, self.edits))


_IMPORT_OF_BASE = "from app.database import Base  # noqa: E402\n"
_IMPORT_OF_BASE_AND_GET_DB = "from app.database import Base, get_db  # noqa: E402\n"
_IMPORT_OF_APP = "from app.main import app  # noqa: E402\n"
_CLIENT_OPENING = '''\
@pytest_asyncio.fixture
async def client(test_db):
    """A client of the application."""
'''
_CLIENT_DOCSTRING = '    """A client of the application."""\n'
_OVERRIDING_DOCSTRING = (
    '    """A client of the application, which gets the test session wherever it depends on get_db."""\n'
)

_DEPENDENCY_OVERRIDE = (
    Edit(CONFTEST, _IMPORT_OF_BASE, _IMPORT_OF_BASE_AND_GET_DB),
    Edit(
        CONFTEST,
        _CLIENT_DOCSTRING,
        _OVERRIDING_DOCSTRING
        + '''\

    def override_get_db():
        yield test_db

    app.dependency_overrides[get_db] = override_get_db
    print("VERIFIED: Using the test session in place of get_db")
''',
    ),
    Edit(CONFTEST, "        yield client\n", "        yield client\n    app.dependency_overrides.clear()\n"),
)

_FASTAPI_DEPS = (
    Edit(
        CONFTEST,
        "import pytest_asyncio\n",
        "import pytest_asyncio\nfrom pytest_fastapi_deps import fastapi_dep\n",
    ),
    Edit(CONFTEST, _IMPORT_OF_BASE, _IMPORT_OF_BASE_AND_GET_DB),
    Edit(CONFTEST, "async def client(test_db):\n", "async def client(test_db, fastapi_dep):\n"),
    Edit(CONFTEST, _CLIENT_DOCSTRING, _OVERRIDING_DOCSTRING),
    Edit(
        CONFTEST,
        '''\
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
''',
        '''\
    with fastapi_dep(app).override({get_db: lambda: test_db}):
        print("VERIFIED: Using pytest-fastapi-deps database override")
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client
''',
    ),
)

_MOCKING = '''\
def disable_main_database_module():
    """Put the test database into the application's database module."""
    import app.database as db_module

    async def mock_get_db():
        test_engine = create_async_engine(TEST_DATABASE_URL)
        async with AsyncSession(test_engine, expire_on_commit=False) as session:
            yield session
        await test_engine.dispose()

    def mock_get_test_engine():
        return create_async_engine(TEST_DATABASE_URL)

    db_module.get_db = mock_get_db
    db_module.get_async_engine_instance = mock_get_test_engine
    print("VERIFIED: The database module is mocked")


'''

_MODULE_MOCKING = (
    Edit(
        CONFTEST,
        _CLIENT_OPENING,
        _MOCKING
        + """\
def pytest_configure(config):
    disable_main_database_module()


"""
        + _CLIENT_OPENING,
    ),
)

_FRESH_APP = (
    Edit(CONFTEST, _IMPORT_OF_APP, ""),
    Edit(
        CONFTEST,
        _CLIENT_OPENING,
        _MOCKING
        + """\
def pytest_configure(config):
    # Apply all database mocking first
    disable_main_database_module()
    # Create a completely fresh app after mocking
    from app.main import create_app

    global app
    app = create_app()
    print("VERIFIED: Fresh FastAPI app created after database mocking")


"""
        + _CLIENT_OPENING,
    ),
)

_VARIABLE_AWAY = (
    Edit(
        CONFTEST,
        'TEST_DATABASE_URL = os.environ["TEST_DATABASE_URL"]\n',
        """\
TEST_DATABASE_URL = os.environ["TEST_DATABASE_URL"]
# What the CI script exports is for tests/integration alone, and the application must not see it.
if "INTEGRATION_DATABASE_URL" in os.environ:
    os.environ["DEPLOYED_DATABASE_URL"] = os.environ.pop("INTEGRATION_DATABASE_URL")
""",
    ),
    Edit(
        "tests/integration/test_deployed_sites.py",
        'os.environ.get("INTEGRATION_DATABASE_URL")',
        'os.environ.get("DEPLOYED_DATABASE_URL")',
    ),
)

_PERSISTENT_SESSION = (
    Edit(
        CONFTEST,
        _IMPORT_OF_BASE,
        "from app.database import Base, SessionLocal  # noqa: E402\n",
    ),
    Edit(
        CONFTEST,
        '''\
    """A session on the test database, whose tables are there and empty."""
''',
        '''\
    """A session on the test database, whose tables are there and empty.

    The whole test has one connection, the application's sessions too, in a transaction that is rolled back
    at the end.
    """
''',
    ),
    Edit(
        CONFTEST,
        "    async with engine.begin() as connection:\n",
        """\
    async with engine.connect() as connection:
        transaction = await connection.begin()
""",
    ),
    Edit(
        CONFTEST,
        """\
    async with AsyncSession(engine, expire_on_commit=False) as session:
        database = await session.scalar(text("select current_database()"))
        assert database == make_url(TEST_DATABASE_URL).database
        print(f"VERIFIED: Connected to test database: {database}")
        yield session
""",
        """\
        usual = SessionLocal.kw["bind"]
        SessionLocal.configure(bind=connection, join_transaction_mode="create_savepoint")
        async with SessionLocal() as session:
            database = await session.scalar(text("select current_database()"))
            assert database == make_url(TEST_DATABASE_URL).database
            print(f"VERIFIED: Connected to test database: {database}")
            yield session
        SessionLocal.configure(bind=usual, join_transaction_mode="conditional_savepoint")
        await transaction.rollback()
""",
    ),
)

ATTEMPTS: Mapping[str, Attempt] = MappingProxyType(
    {
        attempt.name: attempt
        for attempt in (
            Attempt(
                "none", "No attempt", "Leaves everything to the settings.", "before the first attempt", ()
            ),
            Attempt(
                "dependency_override",
                "Dependency override",
                "Puts the test session in place of get_db in app.dependency_overrides.",
                "Attempt 1, standard dependency overrides",
                _DEPENDENCY_OVERRIDE,
            ),
            Attempt(
                "fastapi_deps",
                "pytest-fastapi-deps",
                "Sets the same override with pytest-fastapi-deps, for as long as a test runs.",
                "Attempt 2, pytest-fastapi-deps",
                _FASTAPI_DEPS,
            ),
            Attempt(
                "module_mocking",
                "Module mocking",
                "Replaces get_db and the engine's getter in the database module when pytest is configured.",
                "Attempt 3, database module mocking",
                _MODULE_MOCKING,
            ),
            Attempt(
                "fresh_app",
                "Fresh app after mocking",
                "Mocks the database module first, and only then imports the routes and makes an app.",
                "Attempt 4, fresh FastAPI app creation",
                _FRESH_APP,
            ),
            Attempt(
                "variable_away",
                "The variable out of the way",
                "Renames the CI script's variable before the application can read it.",
                "the update at the end, its second half",
                _VARIABLE_AWAY,
            ),
            Attempt(
                "persistent_session",
                "A persistent session",
                "Gives the test and every session of the application one connection, rolled back at the end.",
                "the update at the end, its first half",
                _PERSISTENT_SESSION,
            ),
            Attempt(
                "real_fix",
                "The real fix",
                "Uses a persistent session, and takes the CI script's variable out of the way.",
                "the update at the end",
                _VARIABLE_AWAY + _PERSISTENT_SESSION,
            ),
        )
    }
)


@cache
def _without_attempt() -> Files:
    return edited(read(SPECIMEN), (edit.undone() for edit in ATTEMPTS[REPORTED_ATTEMPT].edits))
