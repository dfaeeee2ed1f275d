"""The mechanisms that the theories blame, each as the smallest change of the clean specimen.

The specimen in the kit is the project of the report: it contains REPORTED_MECHANISMS and REPORTED_ATTEMPT. The clean
specimen is that project with their edits undone; every mechanism and every attempt is applied to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from kit.specimens.attempts import ATTEMPTS, CONFTEST, REPORTED_ATTEMPT, SPECIMEN
from kit.specimens.edits import Diff, Edit, Files, diff, edited, read

REPORTED_MECHANISMS = frozenset({"global_engine", "ci_variable"})

DATABASE = "app/database.py"
MAIN = "app/main.py"
CRUD = "app/crud.py"
ROUTES = "app/routers/sites.py"
INTEGRATION_TEST = "tests/integration/test_deployed_sites.py"


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One mechanism that may send a test to the wrong database.

    `blames` says in one sentence what it does; `reported_at` is the section of the report that suspects it.
    """

    name: str
    title: str
    blames: str
    reported_at: str
    edits: tuple[Edit, ...]

    def diff(self) -> Diff:
        """A unified diff from the clean specimen to the specimen with this mechanism."""
        return diff(clean_specimen(), edited(clean_specimen(), self.edits))


_GLOBAL_ENGINE = (
    Edit(ROUTES, "crud.list_sites(db)", "crud.list_sites()"),
    Edit(ROUTES, "crud.get_site(site_id, db)", "crud.get_site(site_id)"),
    Edit(ROUTES, "crud.create_site(new.name, new.url, db)", "crud.create_site(new.name, new.url)"),
)

_CI_VARIABLE = (
    Edit(
        "ci/run_tests.sh",
        '[ "$#" -gt 0 ] || set -- tests\n',
        """\
# tests/integration reads the deployed database.
export INTEGRATION_DATABASE_URL="$PRODUCTION_DATABASE_URL"

[ "$#" -gt 0 ] || set -- tests
""",
    ),
)

_ASYNC_ITERATOR = "from collections.abc import AsyncIterator\n"
_EVENT_LOOP = '@pytest.fixture(scope="session")\ndef event_loop():\n'

SETTINGS_FOLLOWED = (
    Edit(DATABASE, _ASYNC_ITERATOR, _ASYNC_ITERATOR + "from typing import Any\n"),
    Edit(
        DATABASE,
        "from sqlalchemy.ext.asyncio import AsyncEngine,",
        "from sqlalchemy import event, make_url\nfrom sqlalchemy.ext.asyncio import AsyncEngine,",
    ),
    Edit(
        DATABASE,
        "from app import settings\n\n",
        '''\
from app import settings


def following(engine: AsyncEngine) -> AsyncEngine:
    """Each new connection goes to where the settings point now: passwords change while the application runs."""

    @event.listens_for(engine.sync_engine, "do_connect")
    def follow_the_settings(dialect: Any, record: Any, arguments: Any, parameters: dict[str, Any]) -> None:
        parameters.update(dialect.create_connect_args(make_url(settings.database_url()))[1])

    return engine


''',
    ),
    Edit(
        DATABASE,
        "create_async_engine(settings.database_url()",
        "following(create_async_engine(settings.database_url()",
    ),
    Edit(DATABASE, "**settings.ENGINE_OPTIONS)", "**settings.ENGINE_OPTIONS))"),
)

_WARM_POOL = (
    *SETTINGS_FOLLOWED,
    Edit(
        CONFTEST,
        _EVENT_LOOP,
        '''\
@pytest_asyncio.fixture(scope="session", autouse=True)
async def deployed_database_answers():
    """Stop at once when the application cannot reach the deployed database."""
    from app.database import SessionLocal

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", os.environ["PRODUCTION_DATABASE_URL"])
        async with SessionLocal() as session:
            await session.execute(text("select 1"))


'''
        + _EVENT_LOOP,
    ),
)

_SECOND_APP = (
    Edit(
        MAIN,
        "    app.include_router(",
        '    api = FastAPI(title="Site watch API")\n    api.include_router(',
    ),
    Edit(MAIN, "sites.router)\n", 'sites.router)\n    app.mount("/", api)\n'),
)

_SESSION_LOCAL = "SessionLocal = async_sessionmaker(engine, expire_on_commit=False)\n"

LAZY_ENGINE = (
    Edit(DATABASE, _ASYNC_ITERATOR, _ASYNC_ITERATOR + "from functools import cache\n"),
    Edit(
        DATABASE,
        "engine = create_async_engine(",
        '''\

@cache
def get_async_engine_instance() -> AsyncEngine:
    """The engine, made when it is first asked for."""
    return create_async_engine(''',
    ),
    Edit(
        DATABASE,
        _SESSION_LOCAL,
        '''\


class SessionFactory(async_sessionmaker[AsyncSession]):
    """Makes sessions on the engine, and the engine with the first of them."""

    def __call__(self) -> AsyncSession:
        return super().__call__(bind=self.kw["bind"] or get_async_engine_instance())


SessionLocal = SessionFactory(expire_on_commit=False)
''',
    ),
    Edit(DATABASE, "def get_async_engine_instance() -> AsyncEngine:\n    return engine\n\n\n", ""),
)

COLLECTED_VARIABLE = (
    Edit(
        INTEGRATION_TEST,
        "from app.models import Site\n",
        """\
from app.models import Site

os.environ["INTEGRATION_DATABASE_URL"] = os.environ["PRODUCTION_DATABASE_URL"]
""",
    ),
)

_SQLALCHEMY_GLOBAL_STATE = (
    Edit(
        DATABASE,
        '"""The engine, the sessions made from it, and the session of a request."""\n\n',
        '"""The engine, the sessions made from it, and the session of a request."""\n\n'
        "import os\nfrom asyncio import current_task\n",
    ),
    Edit(
        DATABASE,
        "import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine\n",
        """\
import (
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
""",
    ),
    Edit(
        DATABASE,
        _SESSION_LOCAL,
        _SESSION_LOCAL
        + """\

# Reports are always about production.
reporting_engine = create_async_engine(os.environ["PRODUCTION_DATABASE_URL"])
ReportingSession = async_scoped_session(async_sessionmaker(reporting_engine), scopefunc=current_task)
""",
    ),
    Edit(
        CONFTEST,
        "    loop.close()\n",
        '''\
    loop.close()


@pytest_asyncio.fixture(scope="session", autouse=True)
async def report_is_read_first():
    """Use the same models on the reporting engine, before the application uses its own."""
    from app.database import ReportingSession

    await ReportingSession.get(Site, 1)
    await ReportingSession.remove()
''',
    ),
)

_SET_TEST_DATABASE = 'os.environ["DATABASE_URL"] = TEST_DATABASE_URL\n\n'
_REPORT_HEADER = "def pytest_report_header():\n"

_EARLY_IMPORT = (
    Edit(
        CONFTEST,
        "# The application reads its settings when it is imported, so the test database is set before that.\n"
        + _SET_TEST_DATABASE,
        "",
    ),
    Edit(CONFTEST, _REPORT_HEADER, _SET_TEST_DATABASE + "\n" + _REPORT_HEADER),
)

APPLICATION_STARTED = (
    Edit(
        CONFTEST,
        _REPORT_HEADER,
        '''\
@pytest_asyncio.fixture(scope="session", autouse=True)
async def application_started():
    """Start the application and stop it, which ASGITransport does not do."""
    async with app.router.lifespan_context(app):
        yield


'''
        + _REPORT_HEADER,
    ),
)

LIFESPAN_READS = (
    Edit(
        MAIN,
        "from app.database import get_async_engine_instance\n",
        "from app import crud\nfrom app.database import get_async_engine_instance\n",
    ),
    Edit(MAIN, "    yield\n", '    print(f"Watching {len(await crud.list_sites())} sites")\n    yield\n'),
)

_LIFESPAN_ENGINE = (
    *LAZY_ENGINE,
    Edit(MAIN, "    yield\n", "    get_async_engine_instance()\n    yield\n"),
    *APPLICATION_STARTED,
)

_CREATED = "        await session.refresh(site)\n        return site\n"
_LOCATION = '    response.headers["Location"] = f"/sites/{site.id}"\n'

_BACKGROUND_WORK = (
    Edit(CRUD, "from sqlalchemy import select\n", "from sqlalchemy import select, update\n"),
    Edit(
        CRUD,
        _CREATED,
        _CREATED
        + '''\


async def mark_checked(site_id: int) -> None:
    """Done after the response, when the session of the request may be closed, so in a session of its own."""
    async with SessionLocal() as session:
        await session.execute(update(Site).where(Site.id == site_id).values(status="checked"))
        await session.commit()
''',
    ),
    Edit(
        ROUTES,
        "from fastapi import APIRouter, Depends, HTTPException, Response\n",
        "from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Response\n",
    ),
    Edit(
        ROUTES,
        "create_site(new: NewSite, response: Response, db: AsyncSession = Depends(get_db)) -> Site:\n",
        """\
create_site(
    new: NewSite, response: Response, background: BackgroundTasks, db: AsyncSession = Depends(get_db)
) -> Site:
""",
    ),
    Edit(ROUTES, _LOCATION, _LOCATION + "    background.add_task(crud.mark_checked, site.id)\n"),
)

MECHANISMS: Mapping[str, Mechanism] = MappingProxyType(
    {
        mechanism.name: mechanism
        for mechanism in (
            Mechanism(
                "global_engine",
                "Global engine",
                "The routes do not pass on the session that get_db gave them, so that the queries open sessions "
                "of their own from the module-global factory.",
                "The Smoking Gun, its last point",
                _GLOBAL_ENGINE,
            ),
            Mechanism(
                "ci_variable",
                "CI variable",
                "The CI script exports a variable for the integration tests, and the settings prefer it to the "
                "test configuration.",
                "the update at the end; environment variables are first under What We've Ruled Out",
                _CI_VARIABLE,
            ),
            Mechanism(
                "warm_pool",
                "Warm connection pool",
                "The engine's pool is filled while the settings name production, and keeps that connection when "
                "they name the test database.",
                "Theory 1, Connection Pool Caching",
                _WARM_POOL,
            ),
            Mechanism(
                "second_app",
                "Second app instance",
                "The routes belong to an app that is mounted in the one that the tests know, and has no "
                "override.",
                "Theory 2, Multiple App Instances",
                _SECOND_APP,
            ),
            Mechanism(
                "sqlalchemy_global_state",
                "SQLAlchemy global state",
                "A second engine, on production, shares the models and their metadata, and its scoped session "
                "is used first.",
                "Theory 3, SQLAlchemy Global State",
                _SQLALCHEMY_GLOBAL_STATE,
            ),
            Mechanism(
                "early_import",
                "Import before configuration",
                "The application is imported, and its engine made, before the tests set DATABASE_URL.",
                "Theory 4, Import Order Issues",
                _EARLY_IMPORT,
            ),
            Mechanism(
                "startup_work",
                "Work at start-up",
                "The lifespan reads the sites in a session of its own, before the first request.",
                "Theory 5, Background Processes: startup events",
                LIFESPAN_READS + APPLICATION_STARTED,
            ),
            Mechanism(
                "lifespan_engine",
                "Engine made at start-up",
                "The engine is made on first use, and its first use is the lifespan's: whoever starts the "
                "application decides when.",
                "Theory 5, Background Processes: startup events that establish connections",
                _LIFESPAN_ENGINE,
            ),
            Mechanism(
                "background_work",
                "Work in the background",
                "A task that runs after the response writes in a session of its own.",
                "Theory 5, Background Processes",
                _BACKGROUND_WORK,
            ),
            Mechanism(
                "suite_variable",
                "Variable that the suite sets",
                "A test module sets the variable when pytest collects it, and the engine, made on first use, "
                "comes after that.",
                "The Smoking Gun, its third point",
                COLLECTED_VARIABLE + LAZY_ENGINE,
            ),
        )
    }
)


@cache
def clean_specimen() -> Files:
    """The clean specimen: without mechanisms and attempts."""
    reported = [edit for name in sorted(REPORTED_MECHANISMS) for edit in MECHANISMS[name].edits]
    undone = (edit.undone() for edit in (*reported, *ATTEMPTS[REPORTED_ATTEMPT].edits))
    return MappingProxyType(edited(read(SPECIMEN), undone))
