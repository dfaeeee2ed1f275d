"""What a person sees while notebooks run: live on a terminal, lines in a log."""

from __future__ import annotations

import threading
from io import StringIO

import pytest
from rich.console import Console

from kit.notebooks.cells import Claim
from kit.notebooks.investigate import progress
from kit.notebooks.investigate.progress import Progress, summary
from kit.notebooks.investigate.results import Investigation, NotebookRun, Status
from kit.notebooks.investigate.saved import Outcome
from tests.kit_notebooks.investigate.samples import quiet, said

HELD = Claim("a", "A is [a].", 1, 1, True, 1, 0.5)
FELL = Claim("b", "B is a.", 1, 2, False, 1, 0.5)
RUN = NotebookRun("01_a", Status.FELL, Outcome(2, 2, 3.0), (HELD, FELL), reason="b [fell]", remarks=("a remark",))


class Heard(StringIO):
    """A file that tells when something was written."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words, self.heard = words, threading.Event()

    def write(self, text: str) -> int:
        """Note the words that are waited for."""
        written = super().write(text)
        if self.words in self.getvalue():
            self.heard.set()
        return written


def follow(shown: Progress) -> None:
    """Tell of a notebook from its beginning to its end."""
    shown.notebook_started("01_a")
    shown.cell_started("01_a", "In [1] x", 1, 2)
    shown.claim_decided("01_a", HELD)
    shown.claim_decided("01_a", FELL)
    shown.notebook_ended(RUN)


def test_a_log_has_a_line_for_each_thing_that_happens() -> None:
    """Without a terminal there are plain lines: a notebook begins, a claim is decided, the notebook ends, and why."""
    console = quiet()
    with Progress(console, 1) as shown:
        follow(shown)
    assert said(console).splitlines() == [
        "01_a: begins",
        "01_a: held  a  A is [a].",
        "01_a: FELL  b  B is a.",
        "01_a: FELL in 3.0 s  b [fell]",
        "01_a: a remark",
    ]


def test_a_notebook_that_begins_again_is_counted_once() -> None:
    """A second start, after its worker was lost, says so and counts anew; one that never began waits no longer."""
    console = quiet()
    with Progress(console, 2, "old/") as shown:
        shown.notebook_started("01_a", "tcp://127.0.0.1:1")
        shown.claim_decided("01_a", HELD)
        shown.notebook_started("01_a", "tcp://127.0.0.1:2")
        assert (shown.waiting, shown.running["01_a"].held) == (1, 0)
        shown.notebook_ended(RUN)
        shown.notebook_ended(NotebookRun("02_b", Status.COULD_NOT_RUN, Outcome(1, 0, 0.0), (), reason="no file"))
        assert (shown.waiting, shown.running) == (0, {})
    assert said(console).splitlines()[:3] == [
        "old/01_a: begins on tcp://127.0.0.1:1",
        "old/01_a: held  a  A is [a].",
        "old/01_a: begins again on tcp://127.0.0.1:2",
    ]


def test_a_log_says_that_notebooks_wait_for_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """While no worker has begun any notebook, a log says how many wait, so that it does not look dead."""
    monkeypatch.setattr(progress, "STILL_RUNNING_S", 0.01)
    file = Heard("2 notebooks wait for a worker")
    with Progress(Console(file=file, width=100, highlight=False), 2):
        assert file.heard.wait(30)


def test_a_log_says_now_and_then_which_cell_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a cell takes long, a log says which one it is and for how long, so that it does not look dead."""
    monkeypatch.setattr(progress, "STILL_RUNNING_S", 0.01)
    file = Heard("01_a: In [1] x of 2, 0 s so far")
    with Progress(Console(file=file, width=100, highlight=False), 1) as shown:
        shown.notebook_started("01_a")
        shown.cell_started("01_a", "In [1] x", 1, 2)
        assert file.heard.wait(30)


def test_a_terminal_shows_what_runs_now() -> None:
    """On a terminal the running notebook, its cell, the time and the claims so far are shown in place."""
    file = Heard("In [1] x of 2")
    with Progress(Console(file=file, width=120, force_terminal=True), 3) as shown:
        shown.notebook_started("01_a")
        shown.cell_started("01_a", "In [1] x", 1, 2)
        assert file.heard.wait(30)
        shown.claim_decided("01_a", FELL)
        shown.notebook_ended(RUN)
    assert "2 waiting" in file.getvalue()
    assert "s in this cell" in file.getvalue()


def test_the_summary_ends_with_one_line_that_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The last lines give what it came to, the remedy, and where to read on, in one line each."""
    fell, stopped = "A claim fell: because. To do: do it.", "It could not run: because. To do: do it."
    for code, words in ((0, "All 1 claims held"), (1, fell), (2, stopped)):
        console = quiet()
        summary(Investigation(code, "because" if code else "", "do it" if code else "", None, (RUN,), 3.0), console)
        assert words in said(console).splitlines()[-1]
        assert "01_a" in said(console)


@pytest.mark.parametrize("width", [120, progress.LOG_WIDTH])
def test_the_table_has_whole_names(width: int) -> None:
    """Whatever a claim has observed, its name and its notebook's can be copied from one line."""
    long = Claim("asgi-transport-starts-nothing", "It does not run.", "words " * 40, "words " * 40, True, 1, 0.5)
    console = Console(file=StringIO(), width=width)
    run = NotebookRun("07_startup_and_background", Status.HELD, Outcome(1, 1, 1.0), (long,))
    summary(Investigation(0, "", "", None, (run,), 1.0), console)
    assert f" {run.name}   {long.id} " in said(console)
