"""The drawings of boxes: what each says is what the evidence says, and changes with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from kit.evidence.model import App, Dependencies, Evidence, Frame, Held, Name, Override, Session
from kit.evidence.model import Callable as Known
from kit.report.apps import apps_drawing
from kit.report.chains import CHAINS_AT_MOST, Box, Scene, aligned, chains_drawing, in_words
from kit.report.drawing import Drawing
from kit.report.holders import holders_drawing
from kit.report.ways import ways_drawing
from kit.report.work import work_drawing
from tests.report.test_timeline import HOSTILE, TEST, Texts, of_one_test

GET_DB = Known(callable="d1", name="app.database.get_db", file="app/database.py", line=22)
OVERRIDE = Known(callable="d2", name="conftest.client.<locals>.override_get_db", file="tests/conftest.py", line=54)
TWIN = Known(callable="d3", name="database.get_db", file="app/database.py", line=22)


def overridden(side: str = "production", *, used: bool = False, given: str | None = "d2") -> Evidence:
    """A request whose route asks app a1 for get_db; the override is set on a1, and given unless `given` is None."""
    evidence = of_one_test(side)
    return replace(
        evidence,
        stacks=((Frame("app/crud.py", 22, "session_for"),), (Frame("app/settings.py", 5, "database_url"),)),
        callables=(GET_DB, OVERRIDE, TWIN),
        apps=(App(at_s=0.01, stack=0, app="a1", type="FastAPI"), App(at_s=0.02, stack=0, app="a2", type="FastAPI")),
        dependencies=(Dependencies(at_s=0.25, test=TEST, request="r1", consulted=True, provider="a1",
                                   supplied_by=(("d1", given),)),),
        sessions=(Session(at_s=0.26, stack=0, session="s1", engine="e1"),),
        uses=tuple(replace(use, session="s1", dependency="d1" if used else None, override=given if used else None)
                   for use in evidence.uses),
    )


def test_a_session_that_is_left_unused_is_crossed_out() -> None:
    """Whether the query ran on what the route was given decides the arrow, the words and the title."""
    unused, used = overridden(), overridden("test", used=True)
    shown = ways_drawing({"one": unused, "other": used}, TEST)
    assert shown.title == (
        "In 1 of 2 runs the query does not use the session that the route is given. Answered by: production, test."
    )
    first, second = (part for part in shown.words.splitlines() if "→" in part)
    assert "it is given: the override override_get_db at tests/conftest.py:54 ✘ (left unused) session of the" in first
    assert first.endswith("answered by: production")
    assert "override_get_db at tests/conftest.py:54 → (used) session of the" in second
    assert second.endswith("answered by: the test server")


def test_a_route_that_is_given_what_it_asked_for_says_so() -> None:
    """Without an override the route is given the function itself, and the engine has its variable."""
    words = ways_drawing({"one": overridden(given=None)}, TEST).words
    assert "the route asks for: get_db at app/database.py:22 → it is given: get_db itself" in words
    assert "engine e1, made from INTEGRATION_DATABASE_URL" in words


def mounted(holder: str) -> Evidence:
    """The request comes to a1 and is handed on to a2, which is asked; the override is on `holder`."""
    evidence = overridden(given="d2" if holder == "a2" else None)
    [outer] = evidence.requests
    return replace(
        evidence, requests=(outer, replace(outer, number="r2", app="a2", within="r1")),
        overrides=tuple(replace(one, app=holder) for one in evidence.overrides),
        dependencies=tuple(replace(one, provider="a2", request="r2") for one in evidence.dependencies),
        uses=tuple(replace(use, request="r2") for use in evidence.uses),
    )


@pytest.mark.parametrize(("holder", "drawn", "met"), [
    ("a1", "app a1: override of app.database.get_db at app/crud.py:22 [app a2, serves the request: no override", 0),
    ("a2", "app a1: no override at app/crud.py:22 [app a2, serves the request: override of app.database.get_db", 1),
    ("a9", "[app a1: no override at app/crud.py:22 [app a2, serves the request: no override at app/crud.py:22]; app a9:"
           " override of app.database.get_db]", 0),
])
def test_an_override_sits_in_the_app_on_which_it_was_set(holder: str, drawn: str, met: int) -> None:
    """The mounted app is inside the other one, an app that is not part of the request is beside them."""
    shown = apps_drawing({"it": mounted(holder)})
    assert drawn in shown.words
    assert f"In {met} of 1 projects the route is given the override" in shown.title
    assert ("✘ (override missed) the route asks app a2" in shown.words) is not bool(met)


def test_an_override_of_another_function_is_named_with_its_module() -> None:
    """The key and what the route asks for are shown whole, so that two names of one function can be told apart."""
    evidence = overridden(given=None)
    words = apps_drawing({"it": replace(evidence, overrides=(
        Override(at_s=0.15, test=TEST, op="set", app="a1", key="d3", by="d2"),))}).words
    assert "override of database.get_db" in words
    assert "the route asks app a1 for app.database.get_db: and is given the function itself" in words


def test_a_route_of_no_app_asks_none() -> None:
    """Where overrides are never looked up, the drawing says that no app is asked."""
    evidence = overridden(given=None)
    asked = tuple(replace(one, consulted=False, provider=None) for one in evidence.dependencies)
    words = apps_drawing({"it": replace(evidence, dependencies=asked)}).words
    assert "the route asks no app for app.database.get_db" in words


def two_engines(*, shared: bool) -> Evidence:
    """A global engine e1, and e2 that no name holds; `shared`: e2 used a connection of e1."""
    evidence = overridden()
    return replace(
        evidence,
        engines=(*evidence.engines, replace(evidence.engines[0], engine="e2", at_s=0.12, fixture="test_db")),
        names=(Name(at_s=0.1, op="held", module="app.database", name="engine",
                    holds=Held(object="o1", type="AsyncEngine", engine="e1")),),
        connections=(*evidence.connections, replace(evidence.connections[0], connection="c2")),
        uses=tuple(replace(use, tables=("sites",)) for use in (*evidence.uses, replace(
            evidence.uses[0], connection="c1" if shared else "c2", engine="e2", session=None))),
    )


def test_what_engines_share_is_in_the_title() -> None:
    """That no connection is shared is said if the evidence says it; a shared one is named."""
    shown = holders_drawing({"it": two_engines(shared=False)})
    assert shown.title == (
        "No two of the 2 engines that were used share a connection or a session, though several read the same table: "
        "sites. Global names of the project hold 1 of them."
    )
    assert "held by: app.database.engine → engine e1: has 1 connection and 1 session of its own" in shown.words
    assert "no global name; made in fixture test_db → engine e2: has 1 connection and no sessions" in shown.words
    title = holders_drawing({"it": two_engines(shared=True)}).title
    assert title.startswith("Of the 2 engines that were used, some share c1, though ")


def test_engines_that_were_made_alike_are_one_row() -> None:
    """A fixture that makes an engine for each test is drawn once, with all its engines."""
    evidence = two_engines(shared=False)
    engine, use = evidence.engines[1], evidence.uses[1]
    more = replace(
        evidence, engines=(*evidence.engines, replace(engine, engine="e3")),
        connections=(*evidence.connections, replace(evidence.connections[0], connection="c3")),
        uses=(*evidence.uses, replace(use, connection="c3", engine="e3")),
    )
    assert "engines e2, e3: each has 1 connection and no sessions of its own" in holders_drawing({"it": more}).words


@pytest.mark.parametrize(("stage", "request_number", "chain", "moment"), [
    ("lifespan", "r1", (), "at the start"),
    ("background", "r1", (), "in the background, after the response"),
    (None, "r1", (), "in requests"),
    (None, None, (Frame("app/main.py", 15, "lifespan"),), "at the start"),
    (None, None, (Frame("app/jobs.py", 15, "nightly"),), "outside requests, in nightly"),
])
def test_work_is_told_by_when_it_ran(
    stage: str | None, request_number: str | None, chain: tuple[Frame, ...], moment: str
) -> None:
    """Start-up, requests, background and the rest are rows of their own, with the server that answered each."""
    evidence = overridden()
    stacks = ((*evidence.stacks[0], *chain), *evidence.stacks[1:])
    uses = tuple(replace(one, stage=stage, request=request_number, verb="update", tables=("sites",), writes=True)
                 for one in evidence.uses)
    shown = work_drawing({"it": replace(evidence, stacks=stacks, uses=uses)})
    counts = {True: "1 of 1 runs, and written to in 1", False: "0 of 1 runs, and written to in 0"}
    asked = moment == "in requests"
    assert shown.title == (
        f"Outside requests production is reached in {counts[not asked]}. "
        f"In requests production is reached in {counts[asked]}."
    )
    assert f"{moment}: update sites: once at app/crud.py:22" in shown.words


def test_a_session_of_a_lifespan_that_a_fixture_entered_is_the_lifespans() -> None:
    """The fixture entered the lifespan and opened nothing itself; other work in a fixture's time keeps its name."""
    evidence = overridden()
    use = replace(evidence.uses[0], stage=None, request=None, fixture="application_started", dependency=None)
    for function, session in [("lifespan", "lifespan, entered by a fixture"), ("nightly", "fixture")]:
        stacks = ((*evidence.stacks[0], Frame("app/main.py", 15, function)), *evidence.stacks[1:])
        words = work_drawing({"it": replace(evidence, stacks=stacks, uses=(use,), dependencies=())}).words
        assert f"its session: {session}, on engine e1" in words


DRAWINGS: dict[str, Callable[[str, Evidence], Drawing]] = {
    "ways": lambda name, evidence: ways_drawing({name: evidence}, TEST),
    "apps": lambda name, evidence: apps_drawing({name: evidence}),
    "holders": lambda name, evidence: holders_drawing({name: evidence}),
    "work": lambda name, evidence: work_drawing({name: evidence}),
}


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_each_drawing_is_text_with_a_name(draw: Callable[[str, Evidence], Drawing]) -> None:
    """The figure is named by its title, all its words are in the HTML and in the plain text; only arrows are hidden."""
    shown = draw("it", mounted("a1"))
    page = Texts(shown.html)
    [figure] = [given for tag, given in page.elements if tag == "figure"]
    assert (figure["role"], figure["aria-label"]) == ("group", shown.title)
    assert all(given["aria-hidden"] == "true" for tag, given in page.elements if tag == "svg")
    assert str(shown).startswith(shown.title)
    assert shown._repr_mimebundle_()[0] == {"text/html": shown.html, "text/plain": str(shown)}
    assert "▲ production" in page.text


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_no_text_of_a_drawing_is_markup(draw: Callable[[str, Evidence], Drawing]) -> None:
    """Names that are written like a script stay text."""
    evidence = mounted("a1")
    hostile = replace(
        evidence, stacks=tuple((Frame(f"app/{HOSTILE}", 1, HOSTILE),) for _ in evidence.stacks),
        callables=tuple(replace(one, name=HOSTILE, file=HOSTILE) for one in evidence.callables),
        requests=tuple(replace(one, path=HOSTILE) for one in evidence.requests),
        uses=tuple(replace(one, verb=HOSTILE, tables=(HOSTILE,)) for one in evidence.uses),
    )
    html = draw(HOSTILE, hostile).html
    assert {tag for tag, _ in Texts(html).elements} <= {
        "figure", "style", "figcaption", "p", "span", "ol", "li", "div", "svg", "line", "path", "wbr"
    }
    assert html.count("</style>") == 1


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_a_run_without_anything_to_draw_says_so(draw: Callable[[str, Evidence], Drawing]) -> None:
    """Empty evidence is no error."""
    shown = draw("it", Evidence())
    assert "Nothing to show." in shown.html


def test_boxes_of_one_place_stand_below_each_other() -> None:
    """All rows of a drawing have the same columns, as wide as their widest box; rows of two lengths have none."""
    short, long = (Box("one", "1"), Box("two", "2")), (Box("one", "1"), Box("two", "INTEGRATION_DATABASE_URL"))
    first, second = aligned([short, long])
    assert first.width < second.width
    assert aligned([short, long]) == aligned([long])
    html = chains_drawing("title", "note", [Scene("it", (short,)), Scene("other", (long,))]).html
    columns = re.findall(r'--kd-columns: ([^"]+)"', html)
    assert len(columns) == 2
    assert len(set(columns)) == 1
    assert aligned([short, short[:1]]) == ()
    uneven = chains_drawing("title", "note", [Scene("it", (short, short[:1]))])
    assert "kd-columns: " not in uneven.html


def test_a_long_name_is_broken_where_its_parts_end() -> None:
    """A place is broken after a slash, so that its number stays with the file, and a name after an underscore."""
    html = chains_drawing("title", "note", [Scene("it", ((Box("one", "A_B c", "tests/unit/test_a.py:12"),),))]).html
    assert ">tests/<wbr>unit/<wbr>test_a.py:12<" in html
    assert ">A_<wbr>B c<" in html


def test_many_rows_are_cut_and_counted() -> None:
    """A run with thousands of rows shows the first ones, and says how many are not shown."""
    shown = chains_drawing("title", "note", [Scene("it", tuple((Box("box", str(n)),) for n in range(1000)))])
    assert f"not shown: {1000 - CHAINS_AT_MOST:,} more" in shown.words
    assert len(shown.html) < 60_000
    assert in_words((Box("one", "1"), Box("two", "2", link="left", broken=True))) == "one: 1 ✘ (left) two: 2"
