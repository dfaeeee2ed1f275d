"""The HTML pages of a run: index.html, and each executed notebook. Self-contained, light or dark."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kit import __version__
from kit.notebooks.investigate.questions import as_text
from kit.notebooks.investigate.results import Investigation, NotebookRun, Status
from kit.notebooks.investigate.saved import BANNER_TAG, RUN_BANNER_TAG
from kit.report.words import words

TEMPLATES = Path(__file__).parent / "templates"
LIGHT, DARK = "default", "github-dark"
_BESIDE = re.compile(r'<a href="([\w.-]+)\.(?:ipynb|md)(#[^"]*)?"([^>]*)>(.*?)</a>', re.DOTALL)
"""A link to a notebook or a text in the same folder."""
# What nbconvert makes of headings, and of tables in Markdown: they have no attributes, unlike those of outputs.
_HEADING = re.compile(r'<h2 id="([^"]+)">(.*?)(?=<a class="anchor-link"|</h2>)', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
_SCROLLED = r'<div class="scroll" role="group" aria-label="Table" tabindex="0">\g<0></div>'
MARKS = {Status.HELD: "✔ held", Status.FELL: "✘ fell", Status.COULD_NOT_RUN: "✘ could not run"}


def index(investigation: Investigation, stack: Mapping[str, str]) -> str:
    """Return the text of index.html: the result, a card for each notebook, and every claim."""
    return str(template("index.html").render(
        investigation=investigation,
        stack=stack,
        kit=__version__,
        at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        marks=MARKS,
    ))


def notebook(run: NotebookRun, nb: Any, names: Sequence[str] = (), others: Collection[str] = ()) -> str:
    """Return an executed notebook as a page.

    `names` are the notebooks of the run in reading order, for links to the previous and the next one; `others` names
    its further pages. Links in the text lead to all of these.
    """
    from copy import copy

    shown = copy(nb)
    # papermill marks an error in its own way, with less information than the kit's banner.
    shown.cells = [_asked(cell) for cell in nb.cells if not _is_papermills(cell)]
    body, _ = _exporter().from_notebook_node(shown)
    return _page(run, _TABLE.sub(_SCROLLED, _with_links_to({*names, *others}, body)), names)


def document(title: str, text: str) -> str:
    """Return a text in Markdown as a page."""
    from nbformat.v4 import new_markdown_cell, new_notebook

    body, _ = _exporter().from_notebook_node(new_notebook(cells=[new_markdown_cell(text)]))  # type: ignore[no-untyped-call]
    return str(template("document.html").render(title=title, body=_TABLE.sub(_SCROLLED, body)))


def without_body(run: NotebookRun, names: Sequence[str] = ()) -> str:
    """Return a page with only the result, for a notebook that cannot be converted."""
    return _page(run, "", names)


def _page(run: NotebookRun, body: str, names: Sequence[str]) -> str:
    at = names.index(run.name) if run.name in names else 0
    return str(template("notebook.html").render(
        run=run, body=body, marks=MARKS, colors=_code_colors(),
        contents=[(place, html.unescape(_TAG.sub("", title))) for place, title in _HEADING.findall(body)],
        previous=names[at - 1] if at else None,
        next=names[at + 1] if at + 1 < len(names) else None,
    ))


def warm_up() -> None:
    """Load the libraries that make pages, which takes a second, while kernels are running."""
    from nbformat.v4 import new_markdown_cell, new_notebook

    nothing = new_notebook(cells=[new_markdown_cell("nothing")])  # type: ignore[no-untyped-call]
    _exporter().from_notebook_node(nothing)
    template("index.html")


def _with_links_to(pages: Collection[str], body: str) -> str:
    """Lead links to notebooks and the glossary to their pages; of a link to a page that is missing, keep the text."""

    def led(link: re.Match[str]) -> str:
        name, part, rest, text = link.groups()
        return f'<a href="{name}.html{part or ""}"{rest}>{text}</a>' if name in pages else text

    return _BESIDE.sub(led, body)


def _asked(cell: Any) -> Any:
    """A prediction as its questions; any other cell as it is."""
    from nbformat.v4 import new_markdown_cell

    text = as_text(cell)
    return new_markdown_cell(text) if text else cell  # type: ignore[no-untyped-call]


def _is_papermills(cell: Any) -> bool:
    tags = cell.metadata.get("tags", [])
    return BANNER_TAG in tags and RUN_BANNER_TAG not in tags


@functools.cache
def _exporter() -> Any:
    from nbconvert import HTMLExporter

    return HTMLExporter(template_name="basic")  # type: ignore[no-untyped-call]


@functools.cache
def template(name: str, folder: Path = TEMPLATES) -> Any:
    """Return a template of a folder, which may include those of this package."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    texts = FileSystemLoader([folder, TEMPLATES])
    found = Environment(loader=texts, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    found.filters["words"] = words
    return found.get_template(name)


@functools.cache
def _code_colors() -> str:
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

    light = HtmlFormatter(style=LIGHT).get_style_defs(".highlight")
    dark = HtmlFormatter(style=DARK).get_style_defs(".highlight")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"
