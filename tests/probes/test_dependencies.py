from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.probes.seen import Seen, run

PROGRAM = {
    "web.py": """\
        from fastapi import APIRouter, Depends, FastAPI
        from sqlalchemy import create_engine, text
        from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
        from sqlalchemy.orm import Session, sessionmaker

        engine = create_engine("sqlite:///own.db")
        later = create_async_engine("sqlite+aiosqlite:///own.db")
        SessionLocal = sessionmaker(engine)
        router = APIRouter()

        def ask(session):
            return session.execute(text("select 1"))

        def get_db():
            with SessionLocal() as session:
                yield session

        async def get_async_db():
            async with AsyncSession(later) as session:
                yield session

        class Sites:
            def __init__(self, session):
                self.session = session

            def count(self):
                return ask(self.session)

        def get_sites(session=Depends(get_db)):
            return Sites(session)

        def own_sites():
            with SessionLocal() as session:
                yield Sites(session)

        def current_user(session=Depends(get_db)):
            ask(session)
            return "me"

        def checked():
            with SessionLocal() as session:
                ask(session)
            return True

        class Factory:
            def __call__(self):
                with SessionLocal() as session:
                    yield session

        factory = Factory()

        @router.get("/plain")
        def plain(db=Depends(get_db)): ask(db)

        @router.get("/async")
        async def asynchronous(db=Depends(get_async_db)): await db.execute(text("select 1"))

        @router.get("/connection")
        def connection(db=Depends(get_db)): db.connection().execute(text("select 1"))

        @router.get("/object")
        def held_by_object(sites=Depends(get_sites)): sites.count()

        @router.get("/own-object")
        def made_inside(sites=Depends(own_sites)): sites.count()

        @router.get("/inside", dependencies=[Depends(checked)])
        def inside(): ...

        @router.get("/nested")
        def nested(user=Depends(current_user)): ...

        @router.get("/uncached")
        def uncached(db=Depends(get_db, use_cache=False)): ask(db)

        @router.get("/instance")
        def instance(db=Depends(factory)): ask(db)

        def get_factory():
            return SessionLocal

        @router.get("/factory")
        def factories(make=Depends(get_factory)):
            with make() as session:
                ask(session)

        @router.get("/past", dependencies=[Depends(get_db)])
        def past():
            session = next(get_db())
            ask(session)
            session.close()

        app = FastAPI()
        app.include_router(router)
        """,
    "it.py": """\
        import sys
        from fastapi.testclient import TestClient
        from sqlalchemy import create_engine
        from sqlalchemy.orm import Session, sessionmaker
        from web import Sites, app, ask, checked, factory, get_db, get_factory, own_sites, router

        test_engine = create_engine("sqlite:///test.db")
        test_session = Session(test_engine)

        def override_get_db():
            yield test_session

        def override_sites():
            return Sites(test_session)

        def override_checked():
            ask(test_session)

        def use():
            for path in [route.path for route in router.routes]:
                path = path.strip("/")
                assert TestClient(app).get("/" + path).status_code == 200, path

        use()
        app.dependency_overrides = {
            get_db: override_get_db, own_sites: override_sites, checked: override_checked, factory: override_get_db,
            get_factory: lambda: sessionmaker(test_engine.connect()),
        }
        use()
        """,
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return run(tmp_path_factory.mktemp("dependencies"), PROGRAM, "it.py")


def ways(seen: Seen, path: str) -> list[tuple[Any, ...]]:
    """For both requests of a path: (dependency, override, whose code was running) of each use of a database."""
    found = []
    for request in seen.of("request", path=path):
        for use in seen.of("use", request=request["number"]):
            names = [(seen.named(use[name]) or "").rpartition(".")[2] for name in ("dependency", "override")]
            found.append((*names, use["inside"]))
    return found


@pytest.mark.parametrize(
    ("path", "plain", "overridden"),
    [
        ("/plain", ("get_db", "", "endpoint"), ("get_db", "override_get_db", "endpoint")),
        ("/async", ("get_async_db", "", "endpoint"), ("get_async_db", "", "endpoint")),
        ("/connection", ("get_db", "", "endpoint"), ("get_db", "override_get_db", "endpoint")),
        ("/object", ("get_db", "", "endpoint"), ("get_db", "override_get_db", "endpoint")),
        ("/own-object", ("own_sites", "", "endpoint"), ("own_sites", "override_sites", "endpoint")),
        ("/inside", ("checked", "", "dependency"), ("checked", "override_checked", "dependency")),
        ("/nested", ("get_db", "", "dependency"), ("get_db", "override_get_db", "dependency")),
        ("/uncached", ("get_db", "", "endpoint"), ("get_db", "override_get_db", "endpoint")),
        ("/instance", ("Factory", "", "endpoint"), ("Factory", "override_get_db", "endpoint")),
        ("/factory", ("get_factory", "", "endpoint"), ("get_factory", "<lambda>", "endpoint")),
        ("/past", ("", "", "endpoint"), ("", "", "endpoint")),
    ],
)
def test_which_dependency_a_use_came_through(
    seen: Seen, path: str, plain: tuple[Any, ...], overridden: tuple[Any, ...]
) -> None:
    """A use of a database is put down to the dependency that supplied it, to its override, or to neither."""
    assert ways(seen, path) == [plain, overridden]


def test_what_was_chosen_is_told(seen: Seen) -> None:
    """For each request, the callables that were declared and what stood in for them, and for whom."""
    request = seen.of("request", path="/nested")[1]
    chosen = [
        (seen.named(event["of"]), [[seen.named(number) for number in pair] for pair in event["supplied_by"]])
        for event in seen.of("dependencies", request=request["number"])
    ]
    assert chosen == [
        ("web.nested", [["web.current_user", None]]),
        ("web.current_user", [["web.get_db", "__main__.override_get_db"]]),
    ]
    assert {event["consulted"] for event in seen.of("dependencies")} == {True}


def test_evidence_has_it_all(seen: Seen) -> None:
    """What the rest of the kit reads is whole: every use with its request, and no doubt about the probes."""
    evidence = seen.evidence()
    assert evidence.problems == ()
    assert evidence.processes[0].failures == {}
    assert {sighting.how for sighting in evidence.in_requests()} == {"dependency", "override", "without a dependency"}


REPLACED = {
    "web.py": """\
        import functools
        from fastapi import Depends, FastAPI

        def logged(function):
            @functools.wraps(function)
            def called():
                return function()
            return called

        def plain(): return 1

        @logged
        def decorated(): return 2

        def untouched(): return 3

        app = FastAPI()

        @app.get("/")
        def read(a=Depends(plain), b=Depends(decorated), c=Depends(untouched)): return [a, b, c]

        def decorated_later(): return 4

        @app.get("/later")
        def later(a=Depends(decorated_later)): return a

        decorated_later = logged(decorated_later)
        """,
    "it.py": """\
        from unittest.mock import patch
        from fastapi.testclient import TestClient
        import web

        client = TestClient(web.app)
        assert client.get("/").json() == [1, 2, 3]
        with patch("web.plain") as mock, patch("web.decorated", lambda: 9):
            assert client.get("/").json() == [1, 2, 3]
        assert client.get("/").json() == [1, 2, 3]
        assert client.get("/later").json() == 4
        assert not mock.mock_calls
        """,
}


def test_what_stands_under_a_dependencys_name_by_now_is_told(tmp_path: Path) -> None:
    """Where a name is replaced while a request is served, the event says by what; a decorator replaces nothing."""
    seen = run(tmp_path, REPLACED, "it.py")
    told = [
        [tuple(seen.named(number) for number in pair) for pair in event.get("passed_over", ())]
        for event in seen.of("dependencies")
    ]
    assert [pairs for pairs in told if pairs] == [
        [("web.plain", "unittest.mock.MagicMock"), ("web.decorated", "__main__.<lambda>")]
    ]
    assert len(told) == 4
    assert {len(event.passed_over) for event in seen.evidence().dependencies} == {0, 2}
