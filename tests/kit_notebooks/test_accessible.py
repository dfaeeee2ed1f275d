"""axe finds nothing serious in what the kit shows: a notebook and the board in JupyterLab, pages, and the site."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from kit.answer.diagnosis import Diagnosis, Effect, Run, Status, plain
from kit.notebooks.investigate import investigate
from kit.notebooks.investigate.results import Investigation
from kit.notebooks.matrix.records import page as matrix_page
from kit.notebooks.matrix.results import Column
from kit.pair import Pair
from kit.report.answer_page import page as answer_page
from tests.kit_notebooks.investigate.samples import quiet
from tests.kit_notebooks.matrix.test_comparing import claim, column, matrix
from tests.kit_notebooks.test_in_browser import (  # noqa: F401
    ANSWERS,
    CHECKS,
    PREDICTS,
    STUB,
    Lab,
    board,
    browser,
    button,
    lab,
    page,
    run_all,
    tool,
    verdict,
)
from tests.notebooks.sources import ROOT
from tests.report.test_answer_tables import of

WIDTHS, SCHEMES = (1300, 390), ("light", "dark")
SERIOUS = ("serious", "critical")
SHOWS = """
import pandas
from kit.notebooks.cells import table
from kit.specimens.edits import diff
display(pandas.DataFrame({"verdict": ["HOLDS"]}), pandas.DataFrame({"rows": [731]}).style)
diff({"a.py": "old\\n"}, {"a.py": "new\\n"})
"""


def serious(shown: Any, within: str | None = None) -> list[str]:
    """What axe calls serious or worse: the rule, the first place, and what to do."""
    return [
        f"{found['id']}, {len(found['nodes'])} places, first {found['nodes'][0]['target']}:"
        f" {found['nodes'][0].get('failureSummary')}"
        for found in Axe().run(shown, context=within).response["violations"] if found["impact"] in SERIOUS
    ]


@pytest.fixture(scope="module")
def run(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two notebooks."""
    out = tmp_path_factory.mktemp("accessible")
    names = ("00_board", "01_the_failure")
    result = investigate([ROOT / "notebooks" / f"{name}.ipynb" for name in names], out=out, console=quiet(), jobs=1)
    assert result.exit_code == 0
    assert result.folder is not None
    return result.folder


@pytest.fixture(scope="module")
def site(run: Path) -> Path:
    """The site of this run."""
    folder = run.parent / "site"
    subprocess.run(
        [sys.executable, str(ROOT / "tools" / "publish.py"), "--run", str(run), "--out", str(folder)], check=True
    )
    return folder


def everywhere(browser: Browser, pages: list[Path]) -> list[str]:  # noqa: F811
    """What is serious in these pages: wide and narrow, light and dark."""
    found = []
    for scheme in SCHEMES:
        for width in WIDTHS:
            context = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme)
            shown = context.new_page()
            for path in pages:
                shown.goto(path.as_uri())
                found += [f"{path.name}, {scheme}, {width}: {one}" for one in serious(shown)]
                wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert shown.evaluate(wide) <= 0, f"{path.name} scrolls sideways at {width}"
            context.close()
    return found


def test_the_pages_of_a_run(browser: Browser, run: Path) -> None:  # noqa: F811
    """The first page and those of the notebooks."""
    assert everywhere(browser, sorted(run.glob("*.html"))) == []


def test_the_pages_of_an_answer(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    """A leak, with a diagnosis; and nothing found."""
    runs = (Run((), Effect.STAYS, "prod.db was reached", 1.0), Run(("without A",), Effect.GONE, "not reached", 2.0))
    leak, clean = tmp_path / "leak.html", tmp_path / "clean.html"
    leak.write_text(answer_page(of("production"), plain(Diagnosis(Status.PROVED, "It happened.", (), runs))))
    clean.write_text(answer_page(of("test")))
    assert everywhere(browser, [leak, clean]) == []


def test_the_page_of_a_matrix(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    """Two stacks with a claim that differs, and one that could not be installed."""
    old = column("old", {"sqlalchemy": "1"}, claim("a", 1))
    new = column("new", {"sqlalchemy": "2"}, claim("a", 2, held=False))
    failed = Column("none", {}, Investigation(2, "no such index", "look"))
    path = tmp_path / "matrix.html"
    path.write_text(matrix_page(matrix(old, new, failed)))
    assert everywhere(browser, [path]) == []


def test_the_pages_of_the_site(browser: Browser, site: Path) -> None:  # noqa: F811
    """The first page, a notebook, a document, and the glossary."""
    names = ("index", "notebooks/01_the_failure", "docs/teaching", "notebooks/glossary")
    assert everywhere(browser, [site / f"{name}.html" for name in names]) == []


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_what_cells_show_in_jupyterlab(lab: Lab, page: Any, theme: str) -> None:  # noqa: F811
    """A prediction, a claim, an exercise, tables and a diff, in both themes of JupyterLab."""
    lab.themed(theme)
    lab.opened(page, f"shows_{theme[-4:].lower()}", PREDICTS, ANSWERS, STUB, CHECKS, SHOWS)
    run_all(page)
    page.get_by_role("button", name="HOLDS").click()
    run_all(page)
    expect(page.locator(f"body[data-jp-theme-name='{theme}']")).to_be_attached()
    assert serious(page, ".jp-Notebook .jp-OutputArea-output") == []


def test_the_board(board: Any, page: Any) -> None:  # noqa: F811
    """The board with a result, with its further boxes, and on a phone."""
    button(board, "More boxes").click()
    button(board, "Run").click()
    expect(verdict(board)).to_be_visible()
    assert serious(page, ".kit-board-controls") == []
    page.locator(".jp-SideBar .lm-TabBar-tab.lm-mod-current").first.click()
    page.set_viewport_size({"width": 390, "height": 1000})
    assert serious(page, ".kit-board-controls") == []


def test_a_fault_is_found(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    """Text that is too pale is serious, so that this check can fail."""
    path = tmp_path / "pale.html"
    pale = '<p style="color:#aaa;background:#fff">pale</p>'
    path.write_text(f'<html lang="en"><title>x</title><main>{pale}</main></html>')
    assert any("color-contrast" in one for one in everywhere(browser, [path]))
