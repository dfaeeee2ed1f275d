"""A drawing for a notebook or a page: HTML that is its own text alternative, in light and dark, without scripts."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.report.printable import printable

TEMPLATES = Path(__file__).parent / "templates"
SIDE_MARKS = {"test": "●", "allowed": "●", "production": "▲", "not allowed": "▲"}
"""A mark for each server, so that no information depends on colour alone."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing as HTML, a title that says what it shows, the same content in words, and as SVG ("" for none)."""

    title: str
    words: str
    html: str
    svg: str = ""

    def __str__(self) -> str:
        return f"{self.title}\n{self.words}"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        shown = {"text/html": self.html, "text/plain": str(self)}
        if not self.svg:
            return shown, {}
        return shown | {"image/svg+xml": self.svg}, {"image/svg+xml": {"alt": self.title}}


def render(template: str, **values: Any) -> str:
    """Fill in a template of this package; each value is escaped. Requires jinja2."""
    return str(_templates().get_template(template).render(**values)).strip()


def macro(template: str, name: str) -> Any:
    """A macro of a template, as a function that returns escaped HTML. Requires jinja2."""
    return getattr(_templates().get_template(template).module, name)


def style() -> str:
    """The style sheet of all drawings. Requires jinja2."""
    return render("drawing.css")


@functools.cache
def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=lambda value: printable(value) if type(value) is str else value,
    )
    found.globals["side_marks"] = SIDE_MARKS
    return found
