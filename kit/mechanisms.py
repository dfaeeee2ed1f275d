"""What each theory blames, as the smallest change of the clean specimen.

The specimen in the kit is the project of the report: it has REPORTED_MECHANISMS and REPORTED_ATTEMPT in it.
The clean specimen is that project with their edits undone; every mechanism and every attempt starts there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from kit.attempts import ATTEMPTS, CONFTEST, REPORTED_ATTEMPT, SPECIMEN
from kit.edits import Diff, Edit, Files, diff, edited, read

REPORTED_MECHANISMS = frozenset({"global_engine", "ci_variable"})

DATABASE = "app/database.py"
MAIN = "app/main.py"
CRUD = "app/crud.py"
ROUTES = "app/routers/sites.py"


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One thing that may send a test to the wrong database.

    `blames` says in one sentence what it does; `reported_at` names the place in the report that suspects it.
    """

    name: str
    title: str
    blames: str
    reported_at: str
    edits: tuple[Edit, ...]

    def diff(self) -> Diff:
        """The clean specimen against the same with this mechanism on, as a unified diff."""
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

_ENGINE = "engine = create_async_engine(settings.database_url(), **settings.ENGINE_OPTIONS)\n"
_EVENT_LOOP = '@pytest.fixture(scope="session")\ndef event_loop():\n'

_WARM_POOL = (
    Edit(
        DATABASE,
        "from collections.abc import AsyncIterator\n\n",
        """\
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import event, make_url
""",
    ),
    Edit(
        DATABASE,
        _ENGINE,
        _ENGINE
        + '''\


@event.listens_for(engine.sync_engine, "do_connect")
def follow_the_settings(dialect: Any, record: Any, arguments: Any, parameters: dict[str, Any]) -> None:
    """A new connection goes to where the settings point now: passwords change while the application runs."""
    parameters.update(dialect.create_connect_args(make_url(settings.database_url()))[1])


''',
    ),
    Edit(
        CONFTEST,
        _EVENT_LOOP,
        '''\
@pytest_asyncio.fixture(scope="session", autouse=True)
async def deployed_database_answers():
    """Stop at once when the application cannot reach the deployed database."""
    from app.database import engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", os.environ["PRODUCTION_DATABASE_URL"])
        async with engine.connect() as connection:
            await connection.execute(text("select 1"))


'''
        + _EVENT_LOOP,
    ),
)

_SECOND_APP = (
    Edit(
        MAIN,
        "    app.include_router(sites.router)\n",
        """\
    api = FastAPI(title="Site watch API")
    api.include_router(sites.router)
    app.mount("/", api)
""",
    ),
)

_SESSION_LOCAL = "SessionLocal = async_sessionmaker(engine, expire_on_commit=False)\n"

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

_VERIFIED = (
    '    return f"VERIFIED: DATABASE_URL names the test database: {make_url(TEST_DATABASE_URL).database}"\n'
)

_STARTUP_WORK = (
    Edit(
        MAIN,
        "from app.database import get_async_engine_instance\n",
        "from app import crud\nfrom app.database import get_async_engine_instance\n",
    ),
    Edit(MAIN, "    yield\n", '    print(f"Watching {len(await crud.list_sites())} sites")\n    yield\n'),
    Edit(
        CONFTEST,
        _VERIFIED,
        _VERIFIED
        + '''\


@pytest_asyncio.fixture(scope="session", autouse=True)
async def started():
    """Start the application and stop it, which ASGITransport does not do."""
    async with app.router.lifespan_context(app):
        yield
''',
    ),
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
                "The routes do not hand on the session that get_db gave them, so that the queries open sessions "
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
                _STARTUP_WORK,
            ),
            Mechanism(
                "background_work",
                "Work in the background",
                "A task that runs after the response writes in a session of its own.",
                "Theory 5, Background Processes",
                _BACKGROUND_WORK,
            ),
        )
    }
)


@cache
def clean_specimen() -> Files:
    """The clean specimen: no mechanism, no attempt."""
    reported = [edit for name in sorted(REPORTED_MECHANISMS) for edit in MECHANISMS[name].edits]
    undone = (edit.undone() for edit in (*reported, *ATTEMPTS[REPORTED_ATTEMPT].edits))
    return MappingProxyType(edited(read(SPECIMEN), undone))
