from __future__ import annotations

import os
from pathlib import Path

from kit.evidence.model import Frame
from kit.report.source_lines import source_of


def test_a_line_of_the_project_is_read(tmp_path: Path) -> None:
    """The line of a file in the folder is read; a file that is gone, and a line beyond the end, have none."""
    (tmp_path / "app.py").write_text("one = 1\ntwo = 2\n")
    code = source_of(str(tmp_path))
    assert code(Frame("app.py", 2, "f")) == "two = 2\n"
    assert [code(Frame("app.py", 9, "f")), code(Frame("gone.py", 1, "f"))] == ["", ""]


def test_nothing_outside_the_project_is_read(tmp_path: Path) -> None:
    """No path leads out of the folder, not even a link in it; what is no file is not opened; no folder, no code."""
    (tmp_path / "secret.py").write_text("SECRET\n")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "link.py").symlink_to(tmp_path / "secret.py")
    os.mkfifo(folder / "pipe.py")
    code = source_of(str(folder))
    for file in ("../secret.py", str(tmp_path / "secret.py"), "link.py", "pipe.py", "."):
        assert code(Frame(file, 1, "f")) == ""
    assert source_of("")(Frame(str(tmp_path / "secret.py"), 1, "f")) == ""
