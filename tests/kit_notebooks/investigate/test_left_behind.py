"""A notebook shows every spelling of a password, in HTML and in claims; what is left of its run has none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit_notebooks.investigate.samples import write
from tests.left_behind import COMMAND, KILL, PAPERMILL, found, in_shared_memory, run
from tests.spellings import IN_A_PAGE, planted, planted_in_pages

SHOWS = """\
from IPython.display import display
from killing import TEXTS, kill
for claimed, *ways in zip(*TEXTS.values()):
    display({"text/html": "\\n".join(ways)}, raw=True)
"""
CLAIMS = """\
from kit.notebooks.cells import claim
for number, text in enumerate(TEXTS["s"]):
    claim(f"c{number}", f"It is {text}", expected=text, observed=text)
"""
INVESTIGATE = ("investigate", "it.ipynb", "--no-servers", "--out", "../left/runs")
ENGINE = ("it.ipynb", "../left/executed.ipynb", "--engine", "kit", "--kernel", "python3", "--language", "python")


@pytest.mark.parametrize("moment", ["", "after"])
@pytest.mark.parametrize(("program", "arguments"), [(COMMAND, INVESTIGATE), (PAPERMILL, ENGINE)])
def test_nothing_that_a_notebook_leaves_has_a_secret(
    tmp_path: Path, program: str, arguments: tuple[str, ...], moment: str
) -> None:
    """The saved notebook, its page, all that is kept for a while and shown are searched, also after a kill."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "killing.py").write_text(KILL)
    write(tmp_path / "project", "it", SHOWS, "kill('after')", CLAIMS)
    before = in_shared_memory()
    done = run(tmp_path, program, *arguments, kill_at=moment, texts={"s": planted("s"), **planted_in_pages()})
    assert done.returncode == (-9 if moment else 0), done.stdout + done.stderr
    left = tmp_path / "left"
    assert any(b"***" in path.read_bytes() for path in left.rglob("*.ipynb"))
    shown = (left, *(in_shared_memory() - before), done.stdout, done.stderr)
    assert found(*shown, places=("s", *IN_A_PAGE)) == {}
