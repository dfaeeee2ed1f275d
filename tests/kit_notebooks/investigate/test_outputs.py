"""What cells write: what counts towards the limit, and what is passed on. Pure: no kernel runs."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, output_from_msg

from kit.notebooks.investigate.outputs import Amount, Echo, TooMuch
from kit.notebooks.investigate.scrub import ERROR_AT_MOST
from kit.probes.redact import redact


def stream(text: str, name: str = "stdout") -> Any:
    """A message in which a cell prints something."""
    return {"header": {"msg_type": "stream"}, "msg_type": "stream", "content": {"name": name, "text": text}}


def write(amount: Amount, cell: NotebookNode, text: str) -> None:
    """Let a cell print something."""
    message = stream(text)
    amount.check(message)
    cell.outputs.append(output_from_msg(message))  # type: ignore[no-untyped-call]
    amount.count(message, cell)


def test_what_was_cleared_does_not_count() -> None:
    """A cell that shows its progress anew each time may write far more than its limit, but not leave more."""
    amount, cell = Amount(cell_at_most=1000), new_code_cell()  # type: ignore[no-untyped-call]
    amount.begin_cell()
    for _ in range(100):
        cell.outputs.clear()
        write(amount, cell, "x" * 400)
    write(amount, cell, "x" * 400)
    with pytest.raises(TooMuch, match=r"the cell wrote more than 0.001 MB"):
        write(amount, cell, "x" * 400)


def test_a_notebook_has_a_limit_of_its_own() -> None:
    """Cells that keep to their limit are stopped where together they pass the notebook's."""
    amount = Amount(cell_at_most=1000, notebook_at_most=1500)
    first, second = new_code_cell(), new_code_cell()  # type: ignore[no-untyped-call]
    amount.begin_cell()
    write(amount, first, "x" * 900)
    amount.end_cell(first)
    amount.begin_cell()
    with pytest.raises(TooMuch, match=r"the notebook wrote more than 0.0015 MB"):
        write(amount, second, "x" * 900)


@pytest.mark.parametrize("kind", ["stream", "display_data", "execute_result", "update_display_data"])
def test_one_message_alone_can_be_too_much(kind: str) -> None:
    """What would be beyond the limit by itself is not taken, however it is shown."""
    content = {"name": "stdout", "text": "x" * 2000} if kind == "stream" else {"data": {"text/plain": "x" * 2000}}
    with pytest.raises(TooMuch):
        Amount(cell_at_most=1000).check({"msg_type": kind, "content": content})


def test_an_error_is_cut_and_counts() -> None:
    """An error of any length is kept as the error that it is, with the beginning of its text."""
    long = "x" * 20_000_000
    message = {"msg_type": "error", "content": {"ename": "ValueError", "evalue": long, "traceback": [long] * 1000}}
    Amount().check(message)
    content: Any = message["content"]
    assert content["ename"] == "ValueError"
    assert len(content["evalue"]) < 3 * ERROR_AT_MOST
    assert len(content["traceback"]) <= 200


def test_a_row_is_passed_on_without_the_secret_that_a_head_before_it_names() -> None:
    """A table that a cell prints line by line has its head in an earlier piece; a blank line ends it."""
    out = StringIO()
    echo = Echo(lambda text, before: redact(text, before), stdout=out)
    for line in ("users\n", "id,password\n", "1,h1dden-A\n", "2,h1dden-B\n", "\n", "3,shown-C\n"):
        echo.take(stream(line))
    assert out.getvalue() == "users\nid,password\n1,***\n2,***\n\n3,shown-C\n"


def test_lines_are_passed_on_whole_and_without_secrets() -> None:
    """A secret that a cell prints in two pieces is in no file, and the last line comes without its end."""
    out, errors = StringIO(), StringIO()
    echo = Echo(lambda text, before: text.replace("s3cr3t", "***"), stdout=out, stderr=errors)
    for message in (stream("it is s3c"), stream("warn\n", "stderr"), stream("r3t\n50 %\r"), stream("end")):
        echo.take(message)
    assert (out.getvalue(), errors.getvalue()) == ("it is ***\n50 %\r", "warn\n")
    echo.end_cell()
    assert out.getvalue() == "it is ***\n50 %\rend"
