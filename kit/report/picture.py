"""A figure for a notebook: drawn without a window, with a text alternative."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 110


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure, a one-line title of what it shows, and the same content in words."""

    figure: Figure
    title: str
    words: str

    def png(self) -> bytes:
        """The figure as a PNG file."""
        file = io.BytesIO()
        self.figure.savefig(file, format="png", dpi=DOTS_PER_INCH)
        return file.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        # HTML pages and JupyterLab use the HTML, the only form that includes the words; PDF export uses the PNG.
        png = base64.b64encode(self.png()).decode()
        shown = {"text/html": self._html(png), "image/png": png, "text/plain": f"{self.title}\n{self.words}"}
        return shown, {"image/png": {"alt": self.title}}

    def _html(self, png: str) -> str:
        return (
            f'<figure style="margin:0"><img src="data:image/png;base64,{png}" alt="{escape(self.title)}" '
            'style="background:#fff;max-width:100%;height:auto">'
            f"<figcaption>{escape(self.title)}<details><summary>The same in words</summary>"
            f"<pre>{escape(self.words)}</pre></details></figcaption></figure>"
        )
