"""Whether somebody is there, and what a long run shows meanwhile: asked of a real kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from kit.notebooks.frontend import attended, progress_shown

ASKS = "from kit.notebooks.frontend import attended\nprint(attended())"
RUNS = """
from kit.notebooks import frontend
frontend._AFTER_S = frontend._EVERY_S = 0
with frontend.progress_shown() as tell:
    for number in (1, 2, 3):
        tell and tell(f"{number} of <3>")
"""
STOPS = f"{RUNS}        if number == 2: raise KeyboardInterrupt"


@pytest.fixture(scope="module")
def kernel() -> Iterator[Any]:
    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def shown(client: Any, code: str, *, somebody: bool) -> list[str]:
    """What a cell shows, in the order in which it comes, in a frontend with somebody at it, or without."""
    found: list[str] = []

    def hook(message: Any) -> None:
        content = message["content"]
        if message["msg_type"] in ("display_data", "update_display_data"):
            found.append(content["data"]["text/html"])
        elif message["msg_type"] == "stream":
            found.append(content["text"].strip())

    client.execute_interactive(
        code, allow_stdin=somebody, stdin_hook=lambda message: None, output_hook=hook, timeout=60
    )
    return found


@pytest.mark.parametrize("somebody", [True, False])
def test_a_frontend_says_whether_somebody_is_there(kernel: Any, somebody: bool) -> None:
    """A frontend in which a cell may ask for input has somebody at it; papermill's has nobody."""
    assert shown(kernel, ASKS, somebody=somebody) == [str(somebody)]


def test_a_script_has_nobody() -> None:
    """Without a kernel nothing can be clicked, and nothing is shown."""
    assert not attended()
    with progress_shown() as tell:
        assert tell is None


def test_a_long_run_says_how_far_it_is_in_one_line(kernel: Any) -> None:
    """The line changes as the run goes on, stays at the last, and is text whatever is in it."""
    found = shown(kernel, RUNS, somebody=True)
    assert [text[text.index(">") + 1 : text.rindex("<")] for text in found] == [
        "1 of &lt;3&gt;", "2 of &lt;3&gt;", "3 of &lt;3&gt;", "3 of &lt;3&gt;",
    ]
    assert shown(kernel, RUNS, somebody=False) == []


def test_a_run_that_is_interrupted_says_so(kernel: Any) -> None:
    """The line keeps how far it had come."""
    assert "stopped after 2 of &lt;3&gt;" in shown(kernel, STOPS, somebody=True)[-1]
