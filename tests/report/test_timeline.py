from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from kit.evidence.model import Evidence, Frame, Override, Variable
from kit.report.drawing import TEMPLATES, Drawing, style
from kit.report.panel import ROWS_AT_MOST
from kit.report.steps import described, steps
from kit.report.timeline import panels, specimen_code, timeline
from kit.report.timeline_svg import svg
from kit.specimens.trial import Trial
from tests.evidences import answered_by

TEST = "tests/test_api_sites.py::test_get_sites_empty"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</style></title><script>alert(1)</script>\x1b[31m&\"'"


def of_one_test(side: str) -> Evidence:
    """Evidence of one test: a variable read, an engine made from it, an override set, a request answered by `side`."""
    evidence = answered_by(side)
    return replace(
        evidence,
        stacks=(*evidence.stacks, (Frame("app/settings.py", 5, "database_url"),)),
        variables=(
            Variable(at_s=0.0, op="inherited", name="INTEGRATION_DATABASE_URL", value="postgresql://u:***@h/db"),
            Variable(at_s=0.05, stack=1, op="read", name="INTEGRATION_DATABASE_URL", value="postgresql://u:***@h/db"),
            Variable(at_s=0.06, stack=1, op="read", name="OTHER_DATABASE_URL", value="postgresql://u:***@h/other"),
        ),
        engines=tuple(replace(engine, variables=("INTEGRATION_DATABASE_URL",)) for engine in evidence.engines),
        overrides=(Override(at_s=0.15, stack=0, test=TEST, op="set", app="a1", key="d1", by="d2"),),
        requests=tuple(replace(request, test=TEST) for request in evidence.requests),
        connections=tuple(replace(connection, test=TEST) for connection in evidence.connections),
        uses=tuple(replace(use, test=TEST) for use in evidence.uses),
    )


def with_two_engines() -> Evidence:
    """The same, and an engine e2 that a fixture makes and uses: on the test server, outside any request."""
    evidence = of_one_test("production")
    observed = answered_by("test").connections[0].observed
    return replace(
        evidence,
        engines=(*evidence.engines, replace(evidence.engines[0], engine="e2", at_s=0.11, test=TEST)),
        connections=(*evidence.connections, replace(evidence.connections[0], connection="c2", observed=observed)),
        uses=(*evidence.uses, replace(evidence.uses[0], at_s=0.12, connection="c2", engine="e2", request=None)),
    )


def with_a_visit() -> Evidence:
    """The same as of one test, and a fixture that sets the variable to another server and puts it back."""
    evidence = of_one_test("production")
    there, back = (
        Variable(at_s=at_s, op="set", name="INTEGRATION_DATABASE_URL", value=f"postgresql://u:***@{host}/db", test=TEST)
        for at_s, host in ((0.16, "elsewhere"), (0.17, "h"))
    )
    [use], [connection] = evidence.uses, evidence.connections
    visit = replace(connection, connection="c2", configured="postgresql://u@elsewhere/db",
                    observed=answered_by("test").connections[0].observed)
    return replace(
        evidence, variables=(*evidence.variables, there, back), connections=(connection, visit),
        uses=(use, replace(use, at_s=0.165, connection="c2", request=None)),
    )


def test_the_steps_lead_from_the_variable_to_the_server() -> None:
    """A test's steps are those of its own engine, in the order of time, and end with the server that answered."""
    found = steps(of_one_test("production"), TEST)
    assert [step.lane for step in found] == ["variable", "variable", "engine", "override", "request", "production"]
    assert [step.side for step in found if step.lane == "engine"] == ["production"]


def test_another_tests_steps_are_left_out() -> None:
    """Nothing is told of a test that used no database."""
    assert steps(of_one_test("test"), "tests/test_other.py::test_other") == ()


def test_what_changes_the_variable_later_is_told_with_the_server_that_it_names() -> None:
    """A fixture that sets the variable after the engine was made, and puts it back, is two steps with two servers."""
    said = [described(step) for step in steps(with_a_visit(), TEST) if step.lane == "variable"]
    name = "INTEGRATION_DATABASE_URL"
    assert said == [
        f"{name} was there at the start, its URL names production", f"{name} read",
        f"{name} set, its URL names the test server", f"{name} set, its URL names production",
    ]


@pytest.mark.parametrize("change", [{"test": "tests/test_other.py::test"}, {"same": True}, {"at_s": 9.0}])
def test_what_changes_nothing_for_the_test_is_not_told(change: dict[str, object]) -> None:
    """A change in another test, one to the value that was there, and one after the test are none of its steps."""
    evidence = with_a_visit()
    *before, there, back = evidence.variables
    changed = replace(evidence, variables=(*before, *(replace(one, **change) for one in (there, back))))
    assert len([step for step in steps(changed, TEST) if step.lane == "variable"]) == 2


def test_an_address_at_which_two_servers_answered_names_none() -> None:
    """What a URL names is said only where each connection to its address was answered by the same server."""
    evidence = with_two_engines()  # both connections have one address
    assert [step.side for step in steps(evidence, TEST) if step.lane == "variable"] == [None, None]


def test_a_connection_that_somebody_else_opened_is_told() -> None:
    """A request that is given a fixture's connection says so; one that is given its own test's does not."""
    evidence = of_one_test("production")
    [connection] = evidence.connections
    kept = replace(evidence, connections=(replace(connection, fixture="warm_up"),))
    earlier = replace(evidence, connections=(replace(connection, test="tests/test_other.py::test_other"),))
    assert steps(kept, TEST)[-1].text == (
        "production answers, without a dependency, on a connection opened in warm_up"
    )
    assert steps(earlier, TEST)[-1].text.endswith("on a connection opened in test_other")
    assert steps(evidence, TEST)[-1].text == "production answers, without a dependency"


class Texts(HTMLParser):
    """The texts of a page outside its style sheet, and the names of its elements with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, text: str) -> None:
        if self.elements and self.elements[-1][0] == "wbr" and self.texts:
            self.texts[-1] += text  # a line may be broken there, and the word goes on
        elif self.elements and self.elements[-1][0] != "style":
            self.texts.append(text)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def drawn() -> Drawing:
    return timeline({"alone": of_one_test("test"), "suite": with_two_engines()}, TEST)


def test_each_step_of_the_evidence_is_in_the_drawing_whole() -> None:
    """Texts, places and times of all steps are in the HTML, in the SVG and in the plain text, and none is cut."""
    plain = str(drawn())
    html = Texts(drawn().html).text
    picture = "".join(ElementTree.fromstring(drawn().svg).itertext())
    for evidence in (of_one_test("test"), with_two_engines()):
        for step in steps(evidence, TEST):
            place = f"{step.where.file}:{step.where.line}" if step.where else ""
            for text in (described(step), place):
                assert text in plain
                assert text in html
                assert text in picture
            assert f"{1000 * step.at_s:,.0f} ms" in html


def test_an_arrow_leads_from_each_engine_to_each_step_that_used_it() -> None:
    """The arrows of HTML and SVG are those of the evidence: e1 to the request, e2 to the fixture's query."""
    made_and_used = [("e1", "made"), ("e1", "passes"), ("e2", "made"), ("e1", "passes"), ("e2", "used last"),
                     ("e1", "passes"), ("e1", "used last")]
    [panel] = panels({"suite": with_two_engines()}, TEST)
    assert [(line.engine, line.part) for row in panel.lines for line in row] == made_and_used
    assert [(row.lane, row.side, row.uses) for row in panel.rows if row.uses] == [
        ("answer", "test", ("e2",)), ("request", "production", ("e1",))
    ]
    shown = timeline({"suite": with_two_engines()}, TEST)
    in_html = [(a["data-engine"], a["data-part"]) for tag, a in Texts(shown.html).elements if "data-engine" in a]
    in_svg = [(one.get("data-engine"), one.get("data-part")) for one in ElementTree.fromstring(shown.svg).iter()
              if one.get("data-engine")]
    assert in_html == in_svg == made_and_used


def test_an_engine_that_a_request_makes_leads_to_its_answer() -> None:
    """A request begins before the engine that it makes, so that the arrow leads to the database that answered it."""
    evidence = of_one_test("production")
    late = replace(evidence, engines=tuple(replace(one, at_s=0.25) for one in evidence.engines))
    [panel] = panels({"it": late}, TEST)
    assert [(line.engine, line.part) for row in panel.lines for line in row] == [("e1", "made"), ("e1", "used last")]
    assert panel.rows[-1].uses == ("e1",)


@pytest.mark.parametrize(("side", "server"), [("test", "the test server"), ("production", "production")])
def test_the_title_says_who_answered_in_the_end(side: str, server: str) -> None:
    """Who reads the title alone knows how each run ended, and which variable led there; the rest is in the steps."""
    evidence = of_one_test(side)
    assert timeline({"the suite": evidence}, TEST).title == (
        f"the suite: {server} answers, on an engine made from INTEGRATION_DATABASE_URL. "
        "Timeline of test_get_sites_empty."
    )
    unknown = replace(evidence, engines=tuple(replace(one, variables=()) for one in evidence.engines))
    assert timeline({"it": unknown}, TEST).title.startswith(f"it: {server} answers, on engine e1. ")


def test_the_drawing_has_a_name_and_a_description() -> None:
    """The figure is named by its title, the SVG has title and description; lines are hidden from screen readers."""
    shown = drawn()
    [figure] = [given for tag, given in Texts(shown.html).elements if tag == "figure"]
    assert (figure["role"], figure["aria-label"]) == ("group", shown.title)
    assert all(given["aria-hidden"] == "true" for tag, given in Texts(shown.html).elements if tag == "svg")
    root = ElementTree.fromstring(shown.svg)
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "title description")
    assert title.text == shown.title
    assert "request: GET /sites, uses e1" in str(description.text)
    data, metadata = shown._repr_mimebundle_()
    assert data["text/plain"] == f"{shown.title}\n{shown.words}"
    assert metadata["image/svg+xml"]["alt"] == shown.title


def test_colour_alone_says_nothing() -> None:
    """Each answer has its server in words and a mark, a line to production is thicker, and the legend says so."""
    html = drawn().html
    assert '<span aria-hidden="true">● </span>the test server answers' in html
    assert '<span aria-hidden="true">▲ </span>production answers' in html
    assert "production (thicker line)" in Texts(html).text
    assert re.search(r"\.kd-of-production[^{]*\{[^}]*stroke-width: 2\.4", html)


def test_no_text_of_the_evidence_is_markup() -> None:
    """A variable, a path or a test that is called like a script is shown as text, in HTML and in SVG."""
    evidence = of_one_test("production")
    test = f"tests/test_api.py::{HOSTILE}"
    hostile = replace(
        evidence, stacks=((Frame(HOSTILE, 1, HOSTILE),), (Frame(HOSTILE, 5, HOSTILE),)),
        variables=tuple(replace(one, name=HOSTILE) for one in evidence.variables),
        engines=tuple(replace(one, variables=(HOSTILE,), engine=HOSTILE) for one in evidence.engines),
        uses=tuple(replace(one, test=test, engine=HOSTILE) for one in evidence.uses),
        requests=tuple(replace(one, test=test, path=HOSTILE) for one in evidence.requests),
    )
    shown = timeline({HOSTILE: hostile}, test)
    assert {tag for tag, _ in Texts(shown.html).elements} <= {
        "figure", "style", "figcaption", "p", "span", "ol", "li", "svg", "g", "line", "circle", "path", "wbr"
    }
    assert shown.html.count("</style>") == 1
    assert "\x1b" not in shown.html + shown.svg
    root = ElementTree.fromstring(shown.svg)  # still one document, with the text in it
    assert "<script>alert(1)</script>" in "".join(root.itertext())
    assert f"{SVG}script" not in {one.tag for one in root.iter()}


def test_a_long_run_is_drawn_within_limits() -> None:
    """Of thousands of requests and long texts the drawing shows the first and the last, and counts the others."""
    evidence = of_one_test("production")
    [request], [use] = evidence.requests, evidence.uses
    many = replace(
        evidence, requests=tuple(replace(request, number=f"r{n}", at_s=n, path="/" + "x" * 9000) for n in range(2000)),
        uses=tuple(replace(use, request=f"r{n}", at_s=n + 0.5) for n in range(2000)),
    )
    [panel] = panels({"many": many}, TEST)
    assert len(panel.rows) == ROWS_AT_MOST + 1
    assert panel.rows[ROWS_AT_MOST // 2].text == f"… {4004 - ROWS_AT_MOST:,} more steps …"
    assert panel.rows[-1].lane == "answer"
    shown = timeline({"many": many}, TEST)
    assert len(shown.html) < 200_000
    assert len(shown.svg) < 200_000


def test_the_text_of_the_svg_stays_within_it() -> None:
    """At any width no text is broken to nothing, and none begins outside the picture."""
    for width in (320, 440, 960):
        root = ElementTree.fromstring(svg("title", panels({"one": with_two_engines()}, TEST), width))
        texts = [one for one in root.iter(f"{SVG}text")]
        assert all(0 < float(one.get("x", "0")) < width for one in texts)
        assert all(float(one.get("y", "0")) < float(root.get("height", "0")) for one in texts)
        assert max(len(one.text or "") for one in texts) * 6 < width


def test_an_arrow_of_the_svg_ends_before_the_time() -> None:
    """However late a step is, its time does not begin below the point of an arrow."""
    evidence = of_one_test("production")
    late = replace(evidence, requests=tuple(replace(one, at_s=12_345.0) for one in evidence.requests),
                   uses=tuple(replace(one, at_s=12_345.0) for one in evidence.uses))
    [panel] = panels({"it": late}, TEST)
    root = ElementTree.fromstring(svg("title", [panel], 960))
    points = [float(str(one.get("d"))[1:].split()[0]) for one in root.iter(f"{SVG}path")]
    [time] = {one.get("x") for one in root.iter(f"{SVG}text") if one.text == "12,345,000 ms"}
    assert points
    assert max(points) < float(str(time)) - len("12,345,000 ms") * 6.6


def test_the_line_of_code_can_be_reached_with_the_keyboard() -> None:
    """A place with code is in the order of Tab, is named with its line of code, and shows it when it has the focus."""
    trial = Trial()
    evidence = replace(of_one_test("production"), trial=trial,
                       stacks=((Frame("app/database.py", 10, "<module>"),), (Frame("app/none.py", 5, "f"),)))
    places = [given for _, given in Texts(timeline({"one": evidence}, TEST).html).elements
              if given.get("class") == "kd-place"]
    code = specimen_code(evidence, evidence.stacks[0][0])
    assert "create_async_engine(" in code
    assert {given.get("aria-label") for given in places} == {f"app/database.py:10: {code}", None}
    assert all((given.get("tabindex") == "0") is ("aria-label" in given) for given in places)
    assert ".kd-place:focus .kd-code { visibility: visible; }" in style()


def test_a_line_of_code_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in the line that is shown is removed."""
    monkeypatch.setattr("kit.report.timeline.specimen_code", lambda *_: "  e = create_engine('pg://u:hunter22@h/d')")
    html = timeline({"one": of_one_test("test")}, TEST).html
    assert "create_engine(" in html
    assert "hunter22" not in html


def test_evidence_of_a_project_that_is_not_known_has_no_code() -> None:
    """A kept trial with a mechanism that no longer exists, a line beyond the file, no trial: no code, and no error."""
    evidence = of_one_test("test")
    gone = replace(evidence, trial=Trial(("no_such_mechanism",)))
    assert specimen_code(gone, Frame("app/database.py", 1, "f")) == ""
    assert specimen_code(replace(evidence, trial=Trial()), Frame("app/database.py", 9999, "f")) == ""
    assert specimen_code(evidence, Frame("app/database.py", 1, "f")) == ""


def test_one_style_is_used_by_all() -> None:
    """The colours of drawings stand in one file: no other template, and not the style of the board, sets them."""
    board = TEMPLATES.parents[1] / "notebooks" / "board" / "board.css"
    files = [*TEMPLATES.glob("*"), board]
    setting = [file.name for file in files if re.search(r"--k[db]-(test|production|ink): *#", file.read_text("utf-8"))]
    assert setting == ["drawing.css"]
