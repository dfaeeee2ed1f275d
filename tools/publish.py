"""Publishes a run of the notebooks as a site: a card and a page for each notebook, the documents, a glossary, a search.

    python tools/publish.py [--run RUN] [--out FOLDER]      runs/latest, build/site by default

It is built by Sphinx with MyST-NB and the book theme, which come whole from PyPI: a site needs no network, neither to
be built nor to be read, and works in any folder of any server. The notebooks appear as they ran; nothing is run again.
"""

from __future__ import annotations

import argparse
import base64
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import explorer
import nbformat

from kit.errors import KitError, NotebookError
from kit.notebooks.investigate import headings
from kit.trials.run_folder import CLAIMS, claims

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ROOT / "docs"
GLOSSARY = ROOT / "notebooks" / "glossary.md"
_TO_NOTEBOOK = re.compile(r"\[([^\]]+)\]\(([\w.-]+)\.ipynb\)")
CONF = """\
project = "FastAPI database isolation kit"
extensions = ["myst_nb", "sphinx_design"]
html_theme = "sphinx_book_theme"
html_title = project
html_show_copyright = False
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2, "use_download_button": False, "use_fullscreen_button": False, "navbar_persistent": [],
}
html_context = {"default_mode": "auto"}
html_static_path = ["_static"]
html_css_files = ["narrow.css"]
html_favicon = "_static/mark.svg"
nb_execution_mode = "off"
nb_mime_priority_overrides = [("html", "text/html", 0)]  # pictures come with their words there
nb_ipywidgets_js = {}  # would be fetched from elsewhere
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
suppress_warnings = ["mystnb.unknown_mime_type", "myst.header"]
"""
NARROW = """\
.bd-article code.literal, .bd-article code.literal .pre { white-space: normal; overflow-wrap: anywhere; }
.bd-article div.cell_output > .output { max-width: 100%; overflow-x: auto; }
.bd-article table thead:not(:has(th *)):not(:has(th:not(:empty))) { display: none; }
.bd-article figcaption, .bd-article figcaption summary { background: none; color: var(--pst-color-text-base); }
.bd-article .sd-card-img-bottom { padding: 0 1rem 1rem; }
"""
MARK = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="7" height="16" fill="#0072b2"/><rect
x="9" width="7" height="16" fill="#d55e00"/></svg>
"""
INTRODUCTION = """\
# FastAPI database isolation kit

A FastAPI test suite reads the production database: every single test passes alone, the full suite sees 731 production
rows. Each notebook tests a theory about that on two live Postgres servers, and ends red when a claim no longer holds.

**{held} of {made} claims held** in the run {run}, with {stack}.
{explorer}
:::::{{grid}} 1 1 2 2
:gutter: 3

{cards}
:::::
"""
EXPLORER = "\n**[The explorer](explorer.md)** shows each recorded trial at a click.\n"
CARD = """\
::::{{grid-item-card}} {question}
:link: notebooks/{name}
:link-type: doc
{picture}
{answer}

:::{{card-footer}}
{outcome}
:::
::::
"""
CONTENTS = """
```{{toctree}}
:caption: {caption}
:hidden:

{pages}
```
"""


@dataclass(frozen=True)
class Shown:
    """The content of a notebook's card: question, answer, number of claims that held, and its first picture."""

    name: str
    question: str
    answer: str
    held: int
    made: int
    picture: bytes | None
    ending: str
    alt: str

    @property
    def outcome(self) -> str:
        """The number of claims that held, in words."""
        if not self.made:
            return "no claims"
        mark = "✔" if self.held == self.made else "✘"
        return f"{mark} {self.held} of {self.made} claims held"


def shown(path: Path, made: Sequence[dict[str, Any]]) -> Shown:
    """Read an executed notebook and the results of its claims."""
    nb = nbformat.read(path, as_version=4)
    ending, picture, alt = next(pictures(nb), ("", None, ""))
    return Shown(
        name=path.stem, question=headings.question(nb), answer=headings.answer(nb),
        held=sum(one["held"] for one in made), made=len(made), picture=picture, ending=ending, alt=alt,
    )


def pictures(nb: Any) -> Iterator[tuple[str, bytes, str]]:
    """Yield each picture in the outputs: its file name's ending, its content, and its description."""
    for output in (output for cell in nb.cells for output in cell.get("outputs", ())):
        data, metadata = output.get("data", {}), output.get("metadata", {})
        if svg := data.get("image/svg+xml"):
            yield "svg", svg.encode(), metadata.get("image/svg+xml", {}).get("alt", "")
        elif png := data.get("image/png"):
            yield "png", base64.b64decode(png), metadata.get("image/png", {}).get("alt", "")


def card(one: Shown) -> str:
    """A card of the first page."""
    picture = f":img-bottom: pictures/{one.name}.{one.ending}\n:img-alt: {one.alt}\n" if one.picture else ""
    return CARD.format(question=one.question, name=one.name, picture=picture, answer=one.answer, outcome=one.outcome)


def unlink_missing(nb: Any, names: Collection[str]) -> None:
    """Of links to notebooks that are not part of the run, keep only the text."""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = _TO_NOTEBOOK.sub(lambda link: link[0] if link[2] in names else link[1], cell.source)


def write_source(run: Path, folder: Path) -> None:
    """Write the sources for Sphinx: pages in Markdown, and the executed notebooks."""
    found = claims(run)
    for name in ("notebooks", "docs", "pictures"):
        (folder / name).mkdir()
    cards = []
    paths = sorted(run.glob("*.ipynb"))
    for path in paths:
        one = shown(path, [claim for claim in found["claims"] if claim["notebook"] == path.stem])
        cards.append(one)
        nb = nbformat.read(path, as_version=4)
        unlink_missing(nb, [path.stem for path in paths])
        nbformat.write(nb, folder / "notebooks" / path.name)
        if one.picture:
            (folder / "pictures" / f"{one.name}.{one.ending}").write_bytes(one.picture)
    if not cards:
        raise NotebookError(f"{run} has no notebook", remedy="run `kit investigate` first")
    shutil.copytree(DOCUMENTS, folder / "docs", dirs_exist_ok=True)
    shutil.copyfile(GLOSSARY, folder / "notebooks" / GLOSSARY.name)
    (folder / "conf.py").write_text(CONF, "utf-8")
    (folder / "_static").mkdir()
    (folder / "_static" / "narrow.css").write_text(NARROW, "utf-8")
    (folder / "_static" / "mark.svg").write_text(MARK, "utf-8")
    explored = explorer.write(run, folder / "_static")
    if explored is not None:
        (folder / "explorer.md").write_text(explored, "utf-8")
    text = index(cards, run.resolve().name, found["stack"], explored is not None)
    (folder / "index.md").write_text(text, "utf-8")


def index(cards: Sequence[Shown], run: str, stack: dict[str, str], explored: bool) -> str:
    """The first page: an introduction, a card for each notebook, and the contents of the side bar."""
    versions = ", ".join(f"{name} {version}" for name, version in stack.items() if name != "stack")
    documents = sorted(path.stem for path in DOCUMENTS.glob("*.md"))
    contents = [
        ("Notebooks", [*(["explorer"] if explored else []), *(f"notebooks/{one.name}" for one in cards)]),
        ("Documents", [*(f"docs/{name}" for name in documents), "notebooks/glossary"]),
    ]
    text = INTRODUCTION.format(
        held=sum(one.held for one in cards), made=sum(one.made for one in cards), run=run, stack=versions,
        cards="\n".join(map(card, cards)), explorer=EXPLORER if explored else "",
    )
    return text + "".join(CONTENTS.format(caption=caption, pages="\n".join(pages)) for caption, pages in contents)


def build(run: Path, out: Path) -> Path:
    """Build the site of a run into `out`, completely or not at all; return its first page."""
    if not (run / CLAIMS).is_file():
        raise NotebookError(f"There is no run in {run}", remedy="run `make investigate` first, or name a run's folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".site-", dir=out.parent) as made:
        source, built = Path(made, "source"), Path(made, "site")
        source.mkdir()
        write_source(run, source)
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(source), str(built)]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode != 0:
            said = ended.stderr.strip()
            raise NotebookError(f"Sphinx could not build the site: {said}", remedy="correct what it names")
        shutil.rmtree(built / ".doctrees", ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
        built.replace(out)
    return out / "index.html"


def main() -> int:
    """Build the site, and print the path of its first page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", type=Path, default=Path("runs/latest"), help="folder of a run; default: runs/latest")
    parser.add_argument("--out", type=Path, default=Path("build/site"), help="folder of the site; default: build/site")
    given = parser.parse_args()
    try:
        print(build(given.run, given.out))
    except KitError as error:
        print(f"publish: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
