from __future__ import annotations

from pathlib import Path

import pytest

from tests.probes.seen import Seen, run

PROGRAM = {
    "web.py": """\
        from contextlib import asynccontextmanager
        from fastapi import BackgroundTasks, FastAPI, WebSocket
        from starlette.middleware.base import BaseHTTPMiddleware
        from sqlalchemy import create_engine, text
        from sqlalchemy.orm import Session

        engine = create_engine("sqlite:///own.db")

        def ask():
            with Session(engine) as session:
                session.execute(text("select 1"))

        @asynccontextmanager
        async def lifespan(app):
            ask()
            yield

        class Asking(BaseHTTPMiddleware):
            async def dispatch(self, request, call_next):
                if request.url.path == "/asks":
                    ask()
                return await call_next(request)

        app = FastAPI(lifespan=lifespan)
        app.add_middleware(Asking)
        inner = FastAPI()
        app.mount("/v1", inner)

        @app.get("/asks")
        def asks():
            return 1

        @app.get("/own")
        async def own():
            ask()

        @inner.get("/inner")
        def in_inner():
            ask()

        def job():
            ask()

        @app.post("/later")
        def later(tasks: BackgroundTasks):
            tasks.add_task(job)

        @app.websocket("/ws")
        async def ws(socket: WebSocket):
            await socket.accept()
            ask()
            await socket.close()

        @app.get("/fails")
        def fails():
            raise LookupError("mine")
        """,
    "it.py": """\
        import gc, traceback
        from fastapi import FastAPI
        from fastapi.testclient import TestClient
        from web import app

        with TestClient(app) as client:
            for path in ("/asks", "/own", "/v1/inner"):
                assert client.get(path).status_code == 200
            client.post("/later")
            with client.websocket_connect("/ws"):
                pass
            try:
                client.get("/fails")
            except LookupError:
                print(traceback.format_exc())
        TestClient(app).get("/own")

        class Mine(FastAPI):
            pass

        passing = Mine()
        del passing
        gc.collect()
        """,
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return run(tmp_path_factory.mktemp("apps"), PROGRAM, "it.py")


def way(seen: Seen, method: str, path: str) -> tuple[object, ...]:
    """How the first request for a path used the database."""
    numbers = [event["number"] for event in seen.of("request", method=method, path=path)]
    use = next(event for event in seen.of("use") if event.get("request") in numbers)
    return use.get("stage"), use["inside"], seen.places(use)[1].partition(" ")[2].rpartition(".")[2]


def test_applications_are_told_with_their_place(seen: Seen) -> None:
    """Each application is told as it is made, with its class and the line that made it."""
    assert [(event["type"], seen.places(event)[0]) for event in seen.of("app")] == [
        ("fastapi.applications.FastAPI", "web.py:24 <module>"), ("fastapi.applications.FastAPI", "web.py:26 <module>"),
        ("__main__.Mine", "it.py:21 <module>"),
    ]  # fmt: skip


def test_an_application_that_is_gone_is_told(seen: Seen) -> None:
    """When nobody holds an application any longer, that is told: no override of it can matter."""
    assert seen.one("app_gone")["app"] == seen.one("app", type="__main__.Mine")["app"]


def test_requests_know_their_application(seen: Seen) -> None:
    """Each request has its application; one that is handed to a mounted application has its own within the outer."""
    outer, inner = seen.of("app")[0]["app"], seen.of("app")[1]["app"]
    own = seen.of("request", path="/own")
    assert [(event["app"], event["type"], event["within"]) for event in own] == [(outer, "http", None)] * 2
    first, second = seen.of("request", path="/v1/inner")
    assert (first["app"], second["app"], second["within"]) == (outer, inner, first["number"])


def test_the_lifespan_runs_once(seen: Seen) -> None:
    """A lifespan is told when it runs: with the client entered, and not without."""
    (lifespan,) = seen.of("request", type="lifespan")
    (use,) = [event for event in seen.of("use") if event.get("stage") == "lifespan"]
    assert use["request"] == lifespan["number"]
    assert seen.places(use)[1] == "web.py:15 lifespan"


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/asks", (None, None, "dispatch")),
        ("GET", "/own", (None, "endpoint", "own")),
        ("GET", "/v1/inner", (None, "endpoint", "in_inner")),
        ("POST", "/later", ("background", None, "job")),
        ("", "/ws", ("websocket", "endpoint", "ws")),
    ],
)
def test_how_a_request_came_to_the_database(seen: Seen, method: str, path: str, expected: tuple[object, ...]) -> None:
    """Middleware, endpoint, mounted application, background task and websocket are told apart."""
    assert way(seen, method, path) == expected


def test_the_parts_of_an_application_are_told(seen: Seen) -> None:
    """Endpoints, middleware and lifespan are named with their files, when the application first serves."""
    parts = seen.one("app_parts", app=seen.of("app")[0]["app"])
    endpoints = {path: seen.named(endpoint) for path, endpoint in parts["endpoints"]}
    assert endpoints["/own"] == "web.own"
    assert endpoints["/later"] == "web.later"
    assert [seen.named(number) for number in parts["middleware"]] == ["web.Asking"]
    assert seen.named(parts["lifespan"]) == "web.lifespan"


def test_tracebacks_are_the_programs_own(seen: Seen) -> None:
    """An error of an endpoint comes out with no frame of a probe in its traceback."""
    assert "LookupError: mine" in seen.output
    assert "kit/probes" not in seen.output


def test_nothing_of_a_request_is_kept_alive(tmp_path: Path) -> None:
    """When a request is over, what it was supplied with is gone."""
    program = """\
        import gc, weakref
        from fastapi import Depends, FastAPI, Request
        from fastapi.testclient import TestClient

        class Thing:
            pass

        made = []

        def thing():
            thing = Thing()
            made.append(weakref.ref(thing))
            yield thing

        app = FastAPI()

        @app.get("/")
        def read(request: Request, thing: Thing = Depends(thing)):
            made.append(weakref.ref(request))

        TestClient(app).get("/")
        gc.collect()
        assert [pointer() for pointer in made] == [None, None], made
        """
    run(tmp_path, {"it.py": program}, "it.py")


def test_starlette_alone_is_seen(tmp_path: Path) -> None:
    """An application of Starlette's own, and one that was made before the probes were in, are followed as well."""
    program = """\
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Mount, Route
        from starlette.testclient import TestClient
        import sqlite3

        async def read(request):
            sqlite3.connect("it.db").execute("select 1")
            return PlainTextResponse("x")

        app = Starlette(routes=[Route("/", read), Mount("/sub", routes=[Route("/", read)])])
        assert TestClient(app).get("/").text == TestClient(app).get("/sub/").text == "x"
        """
    seen = run(tmp_path, {"it.py": program}, "it.py")
    assert seen.one("app")["type"] == "starlette.applications.Starlette"
    assert [event["inside"] for event in seen.of("use")] == ["endpoint"] * 2
    assert [path for path, _ in seen.one("app_parts")["endpoints"]] == ["/", "/sub", "/"]
