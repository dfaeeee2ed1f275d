"""What the tests of this folder need before the first of them."""

from __future__ import annotations

import matplotlib.font_manager  # noqa: F401 - where nobody did before, it starts a process that lists the fonts
