"""The HTML pages of a run: index.html, and each executed notebook. Self-contained, light or dark."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kit import __version__
from kit.notebooks.investigate.results import Investigation, NotebookRun, Status
from kit.notebooks.investigate.saved import BANNER_TAG, RUN_BANNER_TAG
from kit.report.words import words

TEMPLATES = Path(__file__).parent / "templates"
LIGHT, DARK = "default", "github-dark"
MARKS = {Status.HELD: "✔ held", Status.FELL: "✘ fell", Status.COULD_NOT_RUN: "✘ could not run"}


def index(investigation: Investigation, stack: Mapping[str, str]) -> str:
    """Return the text of index.html: the result, every claim, then the notebooks."""
    return str(_template("index.html").render(
        investigation=investigation,
        stack=stack,
        kit=__version__,
        at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        marks=MARKS,
    ))


def notebook(run: NotebookRun, nb: Any) -> str:
    """Return an executed notebook as a page."""
    from copy import copy

    shown = copy(nb)
    # papermill marks an error in its own way, with less information than the kit's banner.
    shown.cells = [cell for cell in nb.cells if not _is_papermills(cell)]
    body, _ = _exporter().from_notebook_node(shown)
    return str(_template("notebook.html").render(run=run, body=body, marks=MARKS, colors=_code_colors()))


def without_body(run: NotebookRun) -> str:
    """Return a page with only the result, for a notebook that cannot be converted."""
    return str(_template("notebook.html").render(run=run, body="", marks=MARKS, colors=_code_colors()))


def warm_up() -> None:
    """Load the libraries that make pages, which takes a second, while kernels are running."""
    from nbformat.v4 import new_markdown_cell, new_notebook

    nothing = new_notebook(cells=[new_markdown_cell("nothing")])  # type: ignore[no-untyped-call]
    _exporter().from_notebook_node(nothing)
    _template("index.html")


def _is_papermills(cell: Any) -> bool:
    tags = cell.metadata.get("tags", [])
    return BANNER_TAG in tags and RUN_BANNER_TAG not in tags


@functools.cache
def _exporter() -> Any:
    from nbconvert import HTMLExporter

    return HTMLExporter(template_name="basic")  # type: ignore[no-untyped-call]


@functools.cache
def _template(name: str) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    texts = FileSystemLoader(TEMPLATES)
    found = Environment(loader=texts, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    found.filters["words"] = words
    return found.get_template(name)


@functools.cache
def _code_colors() -> str:
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

    light = HtmlFormatter(style=LIGHT).get_style_defs(".highlight")
    dark = HtmlFormatter(style=DARK).get_style_defs(".highlight")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"
