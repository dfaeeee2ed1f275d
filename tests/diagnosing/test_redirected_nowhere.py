"""A variable that is changed to name no database, on live servers: what that proves, and what it hides.

With a database that does not exist the tests end at their first connection, so that what follows is not seen. All
connect by the same line: each run gets as far as that line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kit.answer.diagnosis import Diagnosis, Status
from kit.diagnosing.redirected import can_vary, takes_arguments
from kit.pair import Pair
from kit.pair.slots import Slot, open_slots
from tests.projects import diagnosed, write

CONNECT = """
import os, psycopg
from sqlalchemy import create_engine, text
def connect(url):
    return psycopg.connect(url)
def made(url):
    return create_engine(url.replace("://", "+psycopg://"))
def ask(engine):
    with engine.connect() as connection:
        return connection.scalar(text("select 1"))
"""
URL = f"""{CONNECT}
URL = os.environ["SHOP_URL"]
LITERAL = PRODUCTION
"""
PARTS = f"""{CONNECT}
HOST, NAME = os.environ["DB_HOST"], os.environ.get("DB_NAME", "postgres")
def orders(): return connect(f"postgresql://USER@{{HOST}}:PORT/{{NAME}}").execute("select 1").fetchone()
"""
TEST = "from app import orders\ndef test_orders(): orders()\n"

Ask = Callable[..., Diagnosis]


@pytest.fixture
def slot(pair: Pair) -> Iterator[Slot]:
    with ExitStack() as closing:
        (one,) = closing.enter_context(open_slots(pair, 1))
        yield one


@pytest.fixture
def ask(slot: Slot, tmp_path: Path) -> Ask:
    def diagnose(text: str, allow: str, **environ: str) -> Diagnosis:
        production = slot.production.url("psycopg").replace("+psycopg", "")
        words = {
            "PRODUCTION": repr(production), "USER": slot.test.url("psycopg").partition("//")[2].partition("@")[0],
            "PORT": str(slot.test.port),
        }  # fmt: skip
        for word, value in words.items():
            text = text.replace(word, value)
        project = write(tmp_path, {"app.py": text, "test_app.py": TEST})
        environ = {name: value or production for name, value in environ.items()}
        return diagnosed(project, allow=[allow.replace("DB", slot.test.database)], **environ)[1]

    return diagnose


def shown(found: Diagnosis) -> tuple[Status, list[str]]:
    return found.status, [cause.changed for cause in found.causes]


@pytest.mark.parametrize(
    "orders",
    [
        'return connect(URL).execute("select 1").fetchone()',
        "return ask(made(URL))",
        "one, other = made(URL), made(URL); return ask(one), ask(other)",
    ],
    ids=["a connection", "an engine", "two engines"],
)
def test_a_variable_with_all_that_reaches_it_is_proved(ask: Ask, orders: str) -> None:
    """Every connection, or every engine, was made for the database that does not exist: all have it of the variable."""
    found = ask(f"{URL}\ndef orders(): {orders}\n", "kit-test/DB", SHOP_URL="")
    assert shown(found) == (Status.PROVED, ["with SHOP_URL naming another database"]), found
    assert any(run.nowhere for run in found.runs)


@pytest.mark.parametrize(
    "orders",
    [
        'connect(URL).close(); return connect(LITERAL).execute("select 1").fetchone()',
        'return [connect(url).execute("select 1").fetchone() for url in (URL, LITERAL)]',
        "one, other = made(URL), made(LITERAL); return ask(one), ask(other)",
        "return [ask(made(url)) for url in (URL, LITERAL)]",
        "urls = [LITERAL, URL]; return [ask(made(urls.pop())) for _ in range(2)]",
        "return ask(made(URL)), ask(made(LITERAL))",
    ],
    ids=["connections", "connections of a loop", "engines", "engines of a loop", "taken in a loop", "made late"],
)
def test_a_variable_beside_a_url_in_the_text_is_not_proved(ask: Ask, orders: str) -> None:
    """With the variable changed the test ends before it comes to the text, which leads to the same database."""
    lines = orders.replace("; ", "\n    ")
    found = ask(f"{URL}\ndef orders():\n    {lines}\n", "kit-test/DB", SHOP_URL="")
    assert shown(found) == (Status.UNRESOLVED, []), found


@pytest.mark.parametrize(
    ("allow", "changed"),
    [("kit-none/DB", []), ("kit-test*/DB", ["with DB_NAME set to DB"])],
    ids=["no server of the list", "another database of a server on the list"],
)
def test_a_host_is_not_to_blame_because_nothing_answers_elsewhere(
    ask: Ask, slot: Slot, allow: str, changed: list[str]
) -> None:
    """The server may be the right one: where the list tells that it is, the variable with the database is proved."""
    found = ask(PARTS, allow, DB_HOST="127.0.0.1")
    status = Status.PROVED if changed else Status.UNRESOLVED
    assert shown(found) == (status, [one.replace("to DB", f"to {slot.test.database}") for one in changed]), found
    told = any("DB_HOST was changed to a server that does not exist" in said for said in found.unproved)
    assert told is not bool(changed)


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("def connect(url):\n    return open(url)", 2, True),
        ("def connect(url):\n    return open(URL)", 2, False),
        ("def connect(name):\n    url = f'//{name}'\n    return open(url)", 3, True),
        ("def connect(name):\n    with open(URL) as one:\n        one.ask(name)", 2, False),
        ("class A:\n    def connect(self):\n        return open(self.url)", 3, True),
        ("URL = 1\nopen(URL)", 2, False),
        ("this is no Python", 1, True),
    ],
)
def test_which_line_hands_an_argument_on(text: str, line: int, expected: bool) -> None:
    """A line that takes the URL from its function's arguments has it from the caller, who decides."""
    assert takes_arguments(text, line) is expected


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("for url in URLS:\n    open(url)", 2, True),
        ("for url in URLS:\n    open(URL)", 2, False),
        ("[open(url) for url in URLS]", 1, True),
        ("open(A), open(B)", 1, True),
        ("url = URL\nopen(url)", 2, False),
        ("while urls:\n    url = urls.pop()\n    open(url)", 3, True),
        ("while urls:\n    name = f'//{urls.pop()}'\n    url = name\n    open(url)", 4, True),
        ("while (url := take()):\n    open(url)", 2, True),
        ("while waiting:\n    open(URL)", 2, False),
        ("while urls:\n    open(urls.pop())", 2, True),
        ("for _ in range(2):\n    open(next(urls))", 2, True),
        ("for _ in range(2):\n    url = urls.popleft()\n    open(url)", 3, True),
        ("for _ in range(2):\n    url = URL\n    open(url)", 3, False),
        ("open(urls.pop())", 1, False),
        ("this is no Python", 1, True),
    ],
)
def test_which_line_can_connect_to_several_databases(text: str, line: int, expected: bool) -> None:
    """One call in no loop, or of what a loop does not set, has one URL for as long as the test runs."""
    assert can_vary(text, line) is expected
