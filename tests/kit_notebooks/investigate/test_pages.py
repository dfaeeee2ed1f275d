"""The pages of a run: whole in themselves, with every claim, and links that lead somewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from kit.notebooks.investigate import investigate
from tests.kit_notebooks.investigate.samples import FALLS, HOLDS, quiet, text, write


class Links(HTMLParser):
    """Collects what a page loads, where it links to, and its places."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.places: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses of a tag."""
        for name, value in attrs:
            if name == "id":
                self.places.add(value or "")
            elif name in ("src", "srcset", "data", "poster") or (tag == "link" and name == "href"):
                self.loads.append(value or "")
            elif name == "href":
                self.leads.append(value or "")


DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="  # one grey pixel
WITH_WORDS = (
    "from kit.trials.cleaning import Cost\nfrom kit.report.cleaning import costs_drawing\n"
    "costs_drawing([Cost('rollback', 0.5, 0, 1, False), Cost('truncate', 2.0, 0, 0, True)])",
    "from kit.notebooks.cells import start\nstart(pair=False)\npandas.DataFrame({'verdict': ['HOLDS']}).style",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with a notebook that holds, one that falls, and one that stops."""
    place = tmp_path_factory.mktemp("pages")
    picture = f"from base64 import b64decode\nfrom IPython.display import Image\nImage(b64decode({DOT!r}))"
    table = "import pandas\npandas.DataFrame({'<a>': [1]})"
    (place / "glossary.md").write_text("# Glossary\n\n## clean project\n\nWithout a mechanism.\n")
    links = "A [clean project](glossary.md#clean-project), [the next](02_falls.ipynb), [one left out](09_out.ipynb)."
    paths = [
        write(place, "01_holds", text("# Is it *so*?", "title"), text(links, "links"), HOLDS, picture, table,
              *WITH_WORDS),
        write(place, "02_falls", FALLS, "claim('late', 'It is <late>.', expected=1, observed=1)"),
        write(place, "03_stops", "1 / 0", HOLDS),
    ]
    result = investigate(paths, out=place / "runs", with_pair=False, console=quiet(), jobs=2)
    assert result.folder is not None
    return result.folder


def test_pages_load_nothing(folder: Path) -> None:
    """No page loads a script, a style, a font or a picture from anywhere: all is in it."""
    for path in folder.glob("*.html"):
        page = path.read_text()
        assert [address for address in Links(page).loads if not address.startswith("data:")] == []
        assert not re.search(r"@import|url\((?!['\"]?data:)", page)


def test_links_lead_somewhere(folder: Path) -> None:
    """Every link leads to a file of the run, and every place in it exists."""
    for path in folder.glob("*.html"):
        for address in Links(path.read_text()).leads:
            name, _, place = address.partition("#")
            target = folder / (name or path.name)
            assert target.is_file()
            assert not place or place in Links(target.read_text()).places


def test_a_page_links_to_the_glossary_and_to_the_other_pages(folder: Path) -> None:
    """A word leads to its entry and a notebook to its page; of one that is not in the run, the text is left."""
    page = (folder / "01_holds.html").read_text()
    assert {"glossary.html#clean-project", "02_falls.html"} <= set(Links(page).leads)
    assert "one left out." in page
    assert (folder / "glossary.md").is_file()


def test_the_front_page_has_the_verdict_and_every_claim(folder: Path) -> None:
    """The first page begins with what it came to, and lists held, fallen and never reached claims, text escaped."""
    page = (folder / "index.html").read_text()
    assert page.index("A claim fell") < page.index("<table")
    for words in ("✔ held", "✘ fell", "✘ never reached", "one-is-one", "one-is-two", "It is &lt;late&gt;."):
        assert words in page
    assert "prefers-color-scheme: dark" in page


def test_pictures_and_coloured_tables_have_words(folder: Path) -> None:
    """The kit's pictures have a description of their own, and what is coloured has its text, in place of an address."""
    page = (folder / "01_holds.html").read_text()
    assert 'aria-label="What each of 2 ways to clean a database costs a test: rollback: 0.5 ms, ' in page
    saved = nbformat.read(folder / "01_holds.ipynb", as_version=4)
    shown = [output for cell in saved.cells for output in cell.get("outputs", []) if "data" in output]
    texts = [output.data["text/plain"] for output in shown]
    assert "  verdict\n0   HOLDS" in texts
    assert not [text for text in texts if " at 0x" in text]


def test_a_notebook_has_a_page_with_what_it_showed(folder: Path) -> None:
    """An executed notebook is a page with its text, pictures and tables; one that stopped says what never ran."""
    holds, stops = ((folder / name).read_text() for name in ("01_holds.html", "03_stops.html"))
    assert "Is it <em>so</em>?" in holds
    assert "data:image/png;base64," in holds
    assert "&lt;a&gt;" in holds
    assert "This run is not complete." in stops
    assert "celltag_never-ran" in stops
    assert "An Exception was encountered" not in stops
