"""The notebooks in JupyterLab, in a real browser: what a reader clicks and types, and what then is there to be read."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from kit.notebooks.investigate import investigate
from kit.notebooks.lab import WORK
from kit.pair.places import STATE_VARIABLE
from kit.report.apps import apps_drawing
from kit.report.drawing import Drawing
from kit.report.timeline import answer_timeline, timeline
from kit.report.ways import ways_drawing
from tests.kit_notebooks.investigate.samples import quiet
from tests.notebooks.sources import ROOT, claims, for_mutations, read
from tests.report.test_answer_tables import of
from tests.report.test_chains import mounted, overridden
from tests.report.test_timeline import TEST, of_one_test, with_two_engines

WAIT_MS = 90_000
CODE = '<span class="kd-place" tabindex="0" role="note" aria-label="code"><span class="kd-code">engine = made()</span>'
BOARD = ROOT / "notebooks" / "00_board.ipynb"
UP_TO_THE_BOARD = 5  # cells
NAMES = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb")) if path != BOARD]
ABOUT_A_RUN = "99_claims"
WHOLE_NOTEBOOK_MS = 600_000
PREDICTS = """
from kit.notebooks.cells import claim, predict, start
session = start(pair=False)
predict("it", "Which server answers?", {"HOLDS": "its engine was made before", "BROKEN": "nothing leads there"})
"""
ANSWERS = 'claim("it", "It is broken.", expected="BROKEN", observed=["BROKEN"] * 3)'
STUB = "answer = None"
CHECKS = """
from kit.notebooks.cells import exercise
with exercise("double") as check:
    check.given(answer)
    check.same(answer, 4, "twice two")
"""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """The program that finds a browser, as a module."""
    spec = importlib.util.spec_from_file_location("kit_browser", ROOT / "tools" / "browser.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser(tool: ModuleType) -> Iterator[Browser]:
    """A Chromium. A machine that has none fails with what to do."""
    path = tool.found(os.environ)
    if path is None:
        pytest.fail(tool.WANTED)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(tool.ARGUMENTS))
        yield chromium
        chromium.close()


class Lab:
    """A running `kit lab` on a folder of its own; `address` is what it prints for a browser."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address

    def themed(self, theme: str) -> None:
        """Choose a theme of JupyterLab for what is opened from now on."""
        settings = self.folder / "lab_settings_dir" / "@jupyterlab" / "apputils-extension"
        (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": theme}))

    def opened(self, page: Page, name: str, *sources: str) -> None:
        """Write a notebook with these cells and open it."""
        cells = [nbformat.v4.new_code_cell(source.strip()) for source in sources]  # type: ignore[no-untyped-call]
        self.opens(page, name, nbformat.v4.new_notebook(cells=cells))  # type: ignore[no-untyped-call]

    def opens(self, page: Page, name: str, notebook: Any) -> None:
        """Write a notebook, open it, and wait until it can be run."""
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / WORK / f"{name}.ipynb")
        # What an earlier test had open is not to be opened again.
        page.goto(f"{self.address.replace(BOARD.name, f'{name}.ipynb')}&reset")
        ready(page)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """`kit lab` in a folder that has a copy of the notebooks, with settings and a pair of its own."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    own = {f"JUPYTER{name}": str(folder / name.strip("_").lower()) for name in (
        "_CONFIG_DIR", "_DATA_DIR", "_RUNTIME_DIR", "LAB_SETTINGS_DIR", "LAB_WORKSPACES_DIR")}  # fmt: skip
    settings = folder / "lab_settings_dir" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    environ = {**os.environ, **own, STATE_VARIABLE: str(folder / "state")}
    process = subprocess.Popen(
        [sys.executable, "-m", "kit", "lab", "--no-browser", "--ServerApp.port=0", "--IdentityProvider.token=t0ken"],
        cwd=folder, env=environ, stderr=subprocess.PIPE, text=True,
    )
    try:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+/\S+", line):
                break
        else:
            pytest.fail(f"JupyterLab printed no address: {said}")
        yield Lab(folder, found[0].replace("token=...", "token=t0ken"))
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of which each error in its console, and each request to elsewhere, fails the test."""
    found: list[str] = []
    context = browser.new_context(viewport={"width": 1300, "height": 1000})
    shown = context.new_page()
    shown.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    shown.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    shown.on("pageerror", lambda error: found.append(str(error)))
    shown.on("request", lambda request: None if local(request.url) else found.append(request.url))
    yield shown
    context.close()
    assert found == []


def local(address: str) -> bool:
    """Whether an address is of this machine, or of the page itself."""
    parts = urlsplit(address)
    return parts.hostname in ("127.0.0.1", "localhost") or parts.scheme in ("data", "blob")


def ready(page: Page) -> None:
    """Wait until the notebook is open and its kernel has nothing to do."""
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_attached()
    expect(page.locator("#jp-bottom-panel")).to_contain_text("| Idle")


def run_all(page: Page, timeout_ms: float = WAIT_MS) -> None:
    """Choose *Run All Cells* in the menu, and wait until the last cell is done."""
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
    expect(page.locator(".jp-InputPrompt", has_text="[*]")).to_have_count(0, timeout=timeout_ms)
    ready(page)


@pytest.fixture
def board(lab: Lab, page: Page, request: pytest.FixtureRequest) -> Any:
    """The board of a notebook that ends with it, at rest."""
    notebook = read(BOARD)
    notebook.cells = notebook.cells[:UP_TO_THE_BOARD]
    lab.opens(page, f"board_{request.function.__name__}", notebook)
    run_all(page)
    shown = page.locator(".kit-board-controls")
    expect(button(shown, "Run")).to_be_enabled()
    return shown


def button(board: Any, name: str) -> Any:
    return board.get_by_role("button", name=re.compile(rf"(^|\s){re.escape(name)}"))  # a sign may stand before it


def verdict(board: Any) -> Any:
    return board.locator(".kb-verdict")


def test_the_board_is_what_opens_first(lab: Lab, page: Page) -> None:
    """The address that `kit lab` prints opens the board's notebook; run as a whole, all its claims hold."""
    page.goto(f"{lab.address}&reset")
    ready(page)
    expect(page.locator(".lm-DockPanel-tabBar .lm-mod-current")).to_contain_text(BOARD.name)
    expect(page.locator(".jp-Notebook h1")).to_contain_text("make the suite read production?")
    run_all(page)
    page.locator(".jp-Cell").last.scroll_into_view_if_needed()
    saved = page.evaluate("document.querySelectorAll('.kit-held').length")
    assert saved >= len(claims(read(BOARD)))
    expect(page.locator(".kit-fell")).to_have_count(0)
    expect(page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']")).to_have_count(0)


def test_a_word_leads_to_its_entry_in_the_glossary(lab: Lab, page: Page) -> None:
    """A click on a linked word opens the glossary as a page beside the notebook, at the entry of the word."""
    link = "A [twin](glossary.md#twin)."
    lab.opens(page, "words", nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(link)]))  # type: ignore[no-untyped-call]
    page.get_by_role("link", name="twin").click()
    expect(page.locator(".lm-DockPanel-tabBar .lm-mod-current")).to_contain_text("glossary.md")
    entry = page.locator(".jp-MarkdownViewer h2", has_text=re.compile("^twin"))
    expect(entry).to_be_in_viewport()
    expect(page.locator(".jp-MarkdownViewer h1")).not_to_be_in_viewport()


@pytest.mark.parametrize("name", NAMES)
def test_run_all_ends_green(lab: Lab, page: Page, name: str) -> None:
    """Every notebook runs from top to bottom in JupyterLab with its defaults: its claims hold, and no cell fails."""
    notebook = for_mutations(ROOT / "notebooks" / f"{name}.ipynb")  # of the longest, an eighth of its design
    if name == ABOUT_A_RUN:
        investigate([BOARD], out=lab.folder / "runs", console=quiet(), jobs=1)
    lab.opens(page, name, notebook)
    run_all(page, WHOLE_NOTEBOOK_MS)
    shown = page.locator(".jp-Notebook")
    expect(shown.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']")).to_have_count(0)
    expect(shown.locator(".kit-fell")).to_have_count(0)
    held = page.evaluate("document.querySelectorAll('.kit-held').length")
    assert held >= len(claims(notebook))


def test_a_click_changes_the_verdict(board: Any) -> None:
    """*Run* shows what was predicted beside what is so; with a box taken out, *Run* shows another verdict."""
    board.get_by_label("HOLDS: the test server answers every request").check()
    button(board, "Run").click()
    expect(verdict(board)).to_contain_text("✘ BROKEN")
    expect(verdict(board)).to_contain_text("You predicted HOLDS, and it is BROKEN.")
    expect(board.locator(".kb-parted")).to_contain_text("INTEGRATION_DATABASE_URL was there at the start")
    board.get_by_label("CI variable", exact=True).uncheck()
    expect(board.get_by_role("alert").first).to_contain_text("What is below is of another setting")
    button(board, "Run").click()
    expect(verdict(board)).to_contain_text("✔ HOLDS")
    expect(board).to_contain_text("Predictions that held: 0 of 1")


def test_the_keyboard_is_enough(board: Any, page: Page) -> None:
    """From the first box, Tab leads to *Run*; the space bar ticks a box, and runs."""
    first = board.get_by_label("Global engine", exact=True)
    first.focus()
    page.keyboard.press("Space")
    expect(first).not_to_be_checked()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Run":
            break
    page.keyboard.press("Space")
    expect(verdict(board)).to_contain_text("✔ HOLDS")
    expect(verdict(board)).to_contain_text("This run: CI variable")


def test_two_boxes_that_contradict_each_other_cannot_be_run(board: Any) -> None:
    """*More boxes* shows the variants; of two that cannot go together the reason is said, and *Run* is disabled."""
    expect(board.get_by_label("Configured in a fixture")).to_be_hidden()
    button(board, "More boxes").click()
    board.get_by_label("Configured in a fixture").check()
    board.get_by_label("Import before configuration").check()
    expect(board.get_by_role("alert").first).to_contain_text("contradict each other: each sets the test database")
    expect(button(board, "Run")).to_be_disabled()
    button(board, "As code").click()
    expect(board.get_by_label("The trial as code")).to_contain_text('"configured_in_fixture", "early_import"')


def test_flipping_shows_its_progress_and_stops(board: Any) -> None:
    """*What flips it?* fills its table box by box; *Stop* ends it, with what was not tried."""
    button(board, "What flips it?").click()
    expect(board.get_by_role("status").filter(has_text=re.compile(r"\d+ of 10 trials"))).to_be_visible()
    button(board, "Stop").click()
    expect(board.get_by_role("alert").first).to_contain_text("Stopped.")
    expect(board).to_contain_text("Not tried: ")
    expect(button(board, "Run")).to_be_enabled()


def test_a_phone_shows_the_whole_board(board: Any, page: Page) -> None:
    """On 390 pixels nothing of the board is wider than the place that it has."""
    button(board, "Run").click()
    expect(verdict(board)).to_be_visible()
    page.locator(".jp-SideBar .lm-TabBar-tab.lm-mod-current").first.click()
    page.set_viewport_size({"width": 390, "height": 1000})
    parts = "document.querySelectorAll('.kit-board-controls, .kit-board-controls *')"
    place = "document.querySelector('.kit-board-controls').getBoundingClientRect().right + 1"
    wide = f"[...{parts}].filter(e => e.offsetParent && e.getBoundingClientRect().right > {place}).length"
    page.wait_for_function(f"{wide} === 0")


def test_a_prediction_is_answered_by_its_claim(lab: Lab, page: Page) -> None:
    """The buttons stand above; what was clicked is answered below, with what the trials say and why."""
    lab.opened(page, "predicts", PREDICTS, ANSWERS)
    run_all(page)
    expect(page.locator(".jp-OutputArea-output", has_text="You said")).to_have_count(0)
    page.get_by_role("button", name="HOLDS").click()
    expect(page.get_by_role("alert")).to_contain_text("You say HOLDS.")
    page.locator(".jp-CodeCell").last.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".jp-OutputArea-output", has_text="Your prediction.")).to_contain_text(
        "You said HOLDS; 3 of 3 trials say BROKEN, because its engine was made before."
    )


def test_an_exercise_goes_from_not_started_to_done(lab: Lab, page: Page) -> None:
    """A wrong answer that is typed is refused with a hint, the right one is done."""
    lab.opened(page, "exercise", STUB, CHECKS)
    run_all(page)
    said = page.locator(".jp-OutputArea-output", has_text="Exercise")
    expect(said).to_contain_text("not started")
    for answer, state in (("answer = 5", "✘ wrong: twice two"), ("answer = 4", "✔ done")):
        page.locator(".jp-CodeCell").first.locator(".cm-content").click()
        page.keyboard.press("Control+A")
        page.keyboard.type(answer)
        run_all(page)
        expect(said).to_contain_text(state)


def test_a_machine_without_a_browser_is_told_what_to_do(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where no Chromium is to be found, it is said which would do and how to install one; a named one is taken."""
    monkeypatch.setattr(tool, "PLACES", ())
    monkeypatch.setattr(tool, "playwrights_own", lambda: None)
    assert tool.found({"PATH": str(tmp_path)}) is None
    assert "make browser" in tool.WANTED
    program = tmp_path / "chromium"
    program.touch(mode=0o755)
    assert tool.found({"PATH": str(tmp_path)}) == str(program)
    assert tool.found({"PATH": "", tool.VARIABLE: str(program)}) == str(program)
    assert tool.found({"PATH": str(tmp_path), tool.VARIABLE: str(tmp_path / "none")}) is None


@pytest.mark.parametrize("width", [1300, 1000, 870, 700, 640, 390])
@pytest.mark.parametrize("draw", [
    lambda: timeline({"one": of_one_test("test"), "other": with_two_engines()}, TEST),
    lambda: apps_drawing({"one": mounted("a1"), "other": mounted("a9")}),
    lambda: ways_drawing({"one": overridden()}, TEST),
    lambda: answer_timeline(of("production"), lambda _: "engine = create_engine(" + "settings." * 40 + "url)"),
], ids=["timeline", "apps", "ways", "answer"])
def test_a_drawing_fits_and_is_read_with_the_keyboard(page: Page, draw: Callable[[], Drawing], width: int) -> None:
    """Nothing is wider than the screen, in light or dark; Tab leads to a place or a text, which shows the whole."""
    evidence = draw().html.replace('<span class="kd-place">', CODE)
    for scheme, dark in (("light", False), ("dark", True)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        page.set_content(f"<!doctype html><title>a drawing</title><body>{evidence}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        boxes = page.locator(".kd-chain > li .kd-box").evaluate_all(
            "all => all.map(one => [one.offsetWidth, one.offsetHeight])")
        assert all(wide >= 80 and tall <= 300 for wide, tall in boxes), boxes
        paper = page.evaluate("getComputedStyle(document.querySelector('.kit-drawing')).backgroundColor")
        assert (paper == "rgb(13, 17, 23)") is dark
    page.keyboard.press("Tab")
    expect(page.locator("[tabindex='0']").first).to_be_focused()
    expect(page.locator(".kd-code").first).to_be_visible()
    expect(page.locator(".kd-code").nth(1)).to_be_hidden()


def test_the_line_of_an_engine_has_no_gaps(page: Page) -> None:
    """From the engine to its last use the line goes through each row between, at one distance from the left."""
    page.set_content(timeline({"it": with_two_engines()}, TEST).html)
    boxes = page.evaluate("""[...document.querySelectorAll('[data-engine=e1] > line')]
        .filter(one => one.getAttribute('x1') === one.getAttribute('x2'))
        .map(one => { const box = one.getBoundingClientRect(); return [box.left, box.top, box.bottom] })""")
    assert len(boxes) >= 4
    assert len({round(left) for left, _, _ in boxes}) == 1
    assert all(abs(below[1] - above[2]) <= 1.5 for above, below in itertools.pairwise(boxes))
