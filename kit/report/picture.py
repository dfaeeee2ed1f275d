"""A figure as a notebook shows it: drawn once, without a window, with words for those who cannot see it."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 110


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure, and the same said in words."""

    figure: Figure
    words: str

    def png(self) -> bytes:
        """The figure as a PNG file."""
        file = io.BytesIO()
        self.figure.savefig(file, format="png", dpi=DOTS_PER_INCH)
        return file.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"image/png": base64.b64encode(self.png()).decode(), "text/plain": self.words}
