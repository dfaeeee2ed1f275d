"""The site of a run has every notebook with its claims, leads nowhere else by itself, and has no dead link."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src"}


class Page(HTMLParser):
    """What a page loads by itself, what it links to, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given["id"]} if "id" in given else set()
        if given.get(LOADED.get(tag, "")):
            self.loaded.append(given[LOADED[tag]])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])


def made_run(folder: Path, held: bool = True) -> Path:
    """A run of two notebooks, as `kit investigate` leaves it; one has a picture, both a claim."""
    claims = []
    for name, question in (("01_first", "Is it one?"), ("02_second", "Is it <b>two</b> & more?")):
        table = "| | |\n| --- | --- |\n| Time | 1 s |"
        top = f"# {question}\n\n**Answer.** It is. In `code` it is, too: every time.\n\n{table}"
        shown = nbformat.v4.new_output("display_data", {"image/png": PIXEL, "text/plain": "a pixel"})
        shown.metadata = {"image/png": {"alt": "One pixel"}}
        code = nbformat.v4.new_code_cell("claim('one')", outputs=[shown] if name == "01_first" else [])
        links = "[A word](glossary.md#trial), [the first](01_first.ipynb), [another](05_not_run.ipynb)"
        nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(one) for one in (top, links)] + [code])
        nb.metadata.language_info = {"name": "python"}
        folder.mkdir(exist_ok=True)
        nbformat.write(nb, folder / f"{name}.ipynb")
        claims.append({"id": "one", "notebook": name, "claim": "It is.", "expected": 1, "observed": 1, "held": held,
                       "trials": 1, "seconds": 0.1})
    (folder / "claims.json").write_text(json.dumps({"format": 1, "stack": {"fastapi": "0.1"}, "claims": claims}))
    return folder


def publish(run: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "publish.py"), "--run", str(run), "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    """Every page of the site of such a run, by its path."""
    folder = tmp_path_factory.mktemp("site")
    done = publish(made_run(folder / "run"), folder / "site")
    assert done.stdout == f"{folder / 'site' / 'index.html'}\n", done.stderr
    pages = {path: path.read_text("utf-8") for path in sorted((folder / "site").rglob("*.html"))}
    return {str(path.relative_to(folder / "site")): Page(text) for path, text in pages.items()} | {"": folder / "site"}


def test_every_notebook_and_document_has_a_page(site: dict[str, Page]) -> None:
    """The first page links to each notebook and document, and to the glossary and the search."""
    documents = {f"docs/{path.stem}.html" for path in (ROOT / "docs").glob("*.md")}
    wanted = {"notebooks/01_first.html", "notebooks/02_second.html", "notebooks/glossary.html", *documents}
    assert wanted <= set(site)
    assert wanted <= {link.partition("#")[0] for link in site["index.html"].links}
    assert "search.html" in site


def test_a_page_loads_nothing_from_elsewhere(site: dict[str, Page]) -> None:
    """Scripts, styles and pictures come from the site itself, by relative paths, so that any folder will do."""
    loaded = [(name, one) for name, page in site.items() if name for one in page.loaded]
    assert loaded
    assert [(name, one) for name, one in loaded if re.match(r"(?!data:)[\w+-]+:|/", one)] == []


def test_every_link_leads_somewhere(site: dict[str, Page]) -> None:
    """Each link within the site leads to a file of it, and each part of a page that is named exists."""
    folder, dead = site[""], []
    for name, page in site.items():
        for link in page.links if name else ():
            parts = urlsplit(link)
            if parts.scheme or link in ("#", ""):
                continue
            target = (folder / name).parent / unquote(parts.path) if parts.path else folder / name
            there = site.get(str(target.resolve().relative_to(folder.resolve())))
            lost = parts.fragment and there is not None and unquote(parts.fragment) not in there.ids
            if lost or not target.exists():
                dead.append((name, link))
    assert dead == []


def test_notebooks_link_to_the_glossary_and_to_each_other(site: dict[str, Page]) -> None:
    """A word leads to its entry, a notebook to another one of the run; of one that did not run, the text is left."""
    links = site["notebooks/02_second.html"].links
    assert {"glossary.html#trial", "01_first.html"} <= set(links)
    assert not [link for link in links if "05_not_run" in link]
    assert "another" in (site[""] / "notebooks" / "02_second.html").read_text("utf-8")
    assert "trial" in site["notebooks/glossary.html"].ids


def test_a_card_has_question_answer_picture_and_outcome(site: dict[str, Page]) -> None:
    """A card shows what a notebook asks and answers, its first picture with its words, and how many claims held."""
    text = (site[""] / "index.html").read_text("utf-8")
    assert "2 of 2 claims held" in text
    assert text.count("✔ 1 of 1 claims held") == 2
    assert "Is it one?" in text
    assert 'alt="One pixel"' in text


def test_a_claim_that_fell_is_marked(tmp_path: Path) -> None:
    """A run with a fallen claim can be published, and says so."""
    assert publish(made_run(tmp_path / "run", held=False), tmp_path / "site").returncode == 0
    text = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert "0 of 2 claims held" in text
    assert "✘ 0 of 1 claims held" in text


def test_without_a_run_the_site_stays_as_it_was(tmp_path: Path) -> None:
    """Where there is no run, one sentence says what to do, and an earlier site is left."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("earlier")
    done = publish(tmp_path / "run", tmp_path / "site")
    assert done.returncode == 2
    assert "There is no run in" in done.stderr
    assert "make investigate" in done.stderr
    assert (tmp_path / "site" / "index.html").read_text() == "earlier"
