from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.probes.seen import Seen, run

PROGRAM = {
    "src/__init__.py": "",
    "src/deps.py": "def get_db():\n    yield 1\n",
    "deps.py": "def get_db():\n    yield 1\n",
    "web.py": """\
        from typing import Annotated
        from fastapi import APIRouter, Depends, FastAPI
        from fastapi.routing import APIRoute
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.middleware.gzip import GZipMiddleware
        from starlette.routing import Mount
        from src.deps import get_db

        def nested(db=Depends(get_db)): ...
        def deep(nested=Depends(nested)): ...
        def in_mounted(): ...
        def of_mounted_app(): ...
        def by_hand(): ...
        def late(): ...
        def for_all(): ...

        class Pager:
            def __init__(self, size=1): self.size = size
            def __call__(self): return self.size

        class Named:
            def __init__(self, name): self.name = name
            def __call__(self): return self.name
            def __eq__(self, other): return isinstance(other, Named) and self.name == other.name
            def __hash__(self): return hash(self.name)

        Db = Annotated[int, Depends(get_db)]
        inner, middle, outer = APIRouter(), APIRouter(), APIRouter(dependencies=[Depends(for_all)])

        @inner.get("/deep")
        def read(deep=Depends(deep), pager=Depends(Pager(2)), named=Depends(Named("x"))): ...

        def handmade(by_hand=Depends(by_hand)): ...
        def mounted(in_mounted=Depends(in_mounted)): ...

        middle.include_router(inner, prefix="/middle")
        outer.include_router(middle, prefix="/outer")
        app = FastAPI(routes=[APIRoute("/hand", handmade)])
        app.include_router(outer)
        app.mount("/plain", Starlette(
            routes=[Mount("/in", routes=[APIRoute("/it", mounted)])], middleware=[Middleware(GZipMiddleware)],
        ))
        other = FastAPI()

        @other.get("/other")
        def of_other(it=Depends(of_mounted_app)): ...

        app.mount("/other", other)
        """,
    "it.py": """\
        import functools
        import deps
        from fastapi import APIRouter, Depends
        from fastapi.testclient import TestClient
        from web import *
        from src.deps import get_db

        def override(): ...

        def check(*keys):
            app.dependency_overrides.clear()
            app.dependency_overrides.update(dict.fromkeys(keys, override))
            TestClient(app).get("/nothing")

        check(get_db, nested, deep, for_all, by_hand, in_mounted, Named("x"))
        check(deps.get_db, of_mounted_app, Pager, Db, functools.partial(get_db), Pager(2), late, "get_db")

        more = APIRouter()

        @more.get("/late")
        def read_late(it=Depends(late)): ...

        app.include_router(more)
        check(late)
        check()
        """,
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return run(tmp_path_factory.mktemp("routes"), PROGRAM, "it.py")


def test_overrides_apply_wherever_fastapi_solves_dependencies(tmp_path: Path) -> None:
    """A key matches that only a websocket of an included router depends on, or the pages of a frontend: it applies."""
    files = {
        "pages/index.html": "<p>it",
        "it.py": """\
            from fastapi import APIRouter, Depends, FastAPI, WebSocket
            from fastapi.testclient import TestClient

            def of_socket(): return "own"
            def of_included(): return "own"
            def of_nested(): return "own"
            def of_page(): return "own"
            inner, outer, app = APIRouter(), APIRouter(), FastAPI()

            @app.websocket("/app")
            async def on_app(socket: WebSocket, value=Depends(of_socket)): await answer(socket, value)
            @outer.websocket("/outer")
            async def on_outer(socket: WebSocket, value=Depends(of_included)): await answer(socket, value)
            @inner.websocket("/inner")
            async def on_inner(socket: WebSocket, value=Depends(of_nested)): await answer(socket, value)

            async def answer(socket, value):
                await socket.accept()
                await socket.send_text(value)
                await socket.close()

            outer.include_router(inner)
            app.include_router(outer)
            keys = [of_socket, of_included, of_nested]
            if hasattr(app, "frontend"):
                pages = APIRouter(dependencies=[Depends(of_page)])
                pages.frontend("/pages", directory="pages")
                app.include_router(pages)
                keys.append(of_page)
            app.dependency_overrides.update({key: lambda: "other" for key in keys})
            client = TestClient(app)
            for path in ("/app", "/outer", "/inner"):
                with client.websocket_connect(path) as socket:
                    print(socket.receive_text())
            """,
    }
    seen = run(tmp_path, files, "it.py")
    assert seen.output == "other\n" * 3
    assert {tuple(named(seen, check["missed"])) for check in seen.of("override_check")} == {()}
    (check, *_) = seen.of("override_check")
    assert named(seen, check["matched"])[:3] == ["of_socket", "of_included", "of_nested"]


def named(seen: Seen, numbers: list[str]) -> list[str]:
    return [(seen.named(number) or "").rpartition(".")[2] for number in numbers]


def test_keys_that_are_depended_on_match(seen: Seen) -> None:
    """A key matches where any route depends on it, however deep, under included and mounted routers, by hash and eq."""
    check = seen.of("override_check")[0]
    assert named(seen, check["matched"]) == ["get_db", "nested", "deep", "for_all", "by_hand", "in_mounted", "Named"]
    assert check["missed"] == []


def test_keys_that_nothing_depends_on_are_missed(seen: Seen) -> None:
    """A twin of another module, another application's, a class for its instance, and an alias match nothing."""
    check = seen.of("override_check")[1]
    assert check["matched"] == []
    numbers = check["missed"]
    assert [seen.one("callable", callable=number)["type"] for number in numbers] == [
        "function", "function", "class", "annotated", "partial", "instance", "function", "instance",
    ]  # fmt: skip
    assert [seen.named(number) for number in numbers][:2] == ["deps.get_db", "web.of_mounted_app"]
    alias, partial = (seen.one("callable", callable=number) for number in numbers[3:5])
    assert [seen.named(one["inner"]) for one in (alias, partial)] == ["src.deps.get_db"] * 2


def test_a_route_that_comes_later_counts(seen: Seen) -> None:
    """The routes are looked at anew where one was added."""
    assert named(seen, seen.of("override_check")[2]["matched"]) == ["late"]


def test_what_could_have_been_meant_is_told(seen: Seen) -> None:
    """Where a key matches nothing, every live application's routes are told, with what each depends on."""
    graphs = {graph["app"]: graph for graph in seen.of("graph")}
    assert len(graphs) == len(seen.of("app"))
    whole = routes(seen, graphs[seen.of("app")[0]["app"]])
    assert whole["/outer/middle/deep"] == ("read", True, {"for_all", "deep", "nested", "get_db", "Pager", "Named"})
    assert routes(seen, graphs[seen.of("app")[-1]["app"]])["/other"] == ("of_other", True, {"of_mounted_app"})


def test_routes_that_never_consult_are_told(seen: Seen) -> None:
    """A route made by hand, and one under a mount that is no FastAPI application, consult no overrides."""
    whole = routes(seen, seen.of("graph")[0])
    assert {path for path, (_, consulted, _) in whole.items() if not consulted} == {"/hand", "/it"}


def routes(seen: Seen, graph: dict[str, Any]) -> dict[str, tuple[str, bool, set[str]]]:
    return {
        path: (named(seen, [endpoint])[0], consulted, set(named(seen, calls)))
        for path, endpoint, consulted, calls in graph["routes"] if calls
    }  # fmt: skip
