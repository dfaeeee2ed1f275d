"""Templates of data directories in the user's cache."""

from __future__ import annotations

import os
import time
from pathlib import Path

from kit.pair.template import UNUSED_DAYS, prune


def test_only_templates_that_are_long_unused_are_removed(tmp_path: Path) -> None:
    """The template of the run stays however old it is; so does one that was used lately, and what is no template."""
    long_ago = time.time() - (UNUSED_DAYS + 1) * 86_400
    for name in ("template-in-use", "template-old", "template-new", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
        if name != "template-new":
            os.utime(tmp_path / name, (long_ago, long_ago))
    prune(tmp_path, keep=tmp_path / "template-in-use")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "template-in-use", "template-new"]
