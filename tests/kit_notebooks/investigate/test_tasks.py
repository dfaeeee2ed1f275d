"""Notebooks are read, and their parameters checked, before any of them is run."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from kit.errors import NotebookError
from kit.notebooks.investigate.tasks import Task, tasks


def notebook(path: Path, parameters: str = "") -> Path:
    nb = nbformat.v4.new_notebook()
    nb.cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})] if parameters else []
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nb, path)
    return path


def read(*paths: Path, stack: str | None = None) -> list[Task]:
    return tasks(paths, {}, stack, solved=False)


def test_the_stack_goes_to_notebooks_that_ask_for_it(tmp_path: Path) -> None:
    """Given once, by its option or as a parameter; a notebook without that parameter is run all the same."""
    asks, other = notebook(tmp_path / "asks.ipynb", parameters='stack = "current"'), notebook(tmp_path / "other.ipynb")
    assert [task.parameters for task in read(asks, other, stack="2023-11")] == [{"stack": "2023-11"}, {}]
    with pytest.raises(NotebookError, match="The stack is given twice"):
        tasks((asks,), {"stack": "current"}, "2023-11", solved=False)


def test_two_notebooks_of_one_name_are_refused(tmp_path: Path) -> None:
    """What they leave would lie in one place."""
    with pytest.raises(NotebookError, match="Two notebooks are called same"):
        read(notebook(tmp_path / "a" / "same.ipynb"), notebook(tmp_path / "b" / "same.ipynb"))


def test_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    """So is a folder, with how to name what is in it."""
    with pytest.raises(NotebookError, match=r"There is no notebook .*none.ipynb"):
        read(tmp_path / "none.ipynb")
    with pytest.raises(NotebookError, match=r"is a folder.*\\*.ipynb"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"metadata": {"kernelspec": {"name": "ir", "language": "R"}}, "cells": [], "nbformat": 4, '
         '"nbformat_minor": 5}', "is written in R, not in Python"),
        ("no notebook", "it is not JSON"),
        ('{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "is not a notebook: "),
    ],
    ids=["language", "text", "fields"],
)  # fmt: skip
def test_what_cannot_be_run_keeps_no_other_from_running(text: str, said: str, tmp_path: Path) -> None:
    """It is reported as its own problem; alone, it is an error."""
    broken, good = tmp_path / "broken.ipynb", notebook(tmp_path / "good.ipynb")
    broken.write_text(text)
    first, second = read(broken, good)
    assert said in str(first.problem)
    assert second.problem is None
    with pytest.raises(NotebookError) as error:
        read(broken)
    assert said in str(error.value)
