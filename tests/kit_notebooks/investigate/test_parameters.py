"""Parameters: names and types as the notebook's own cell declares them."""

from __future__ import annotations

from typing import Any

import pytest

from kit.errors import NotebookError
from kit.notebooks.investigate.parameters import check, declared, pairs
from tests.kit_notebooks.investigate.samples import cell, notebook

SOURCE = """\
n_trials: int = 3  # how often each trial is run
# seconds, per trial
timeout_s = 60.0
global_engine = True
attempt: "str | None" = None  # which remedy
selection: 'Literal["suite", "individual"]' = "suite"
levels = [1, 2]
options: dict[str, int] = {}
anything = list(range(3))
_, other = 1, 2
"""
KNOWN = declared(notebook(["1", cell(SOURCE, "parameters", "parameters")]))


def read(**given: Any) -> dict[str, Any]:
    """The values that the sample takes."""
    return check(given, {"sample.ipynb": KNOWN})["sample.ipynb"]


def test_parameters_are_declared_by_assignments() -> None:
    """Each assignment of one name in the tagged cell is a parameter, with its type, default and comment."""
    assert list(map(str, KNOWN.values())) == [
        "n_trials: int = 3 (how often each trial is run)",
        "timeout_s: float = 60.0 (seconds, per trial)",
        "global_engine: bool = True",
        "attempt: str or None = None (which remedy)",
        "selection: 'suite' or 'individual' = 'suite'",
        "levels: list = [1, 2]",
        "options: dict of str to int = {}",
        "anything: any literal = list(range(3))",
    ]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("n_trials", "5", 5),
        ("n_trials", "-5", -5),
        ("timeout_s", "2", 2.0),
        ("timeout_s", "2.5", 2.5),
        ("global_engine", "false", False),
        ("global_engine", "Yes", True),
        ("global_engine", "0", False),
        ("attempt", "none", None),
        ("attempt", "7", "7"),
        ("selection", "individual", "individual"),
        ("levels", "[3]", [3]),
        ("options", "{'a': 1}", {"a": 1}),
        ("anything", "1", 1),
        ("anything", "some words", "some words"),
    ],
)
def test_a_text_is_read_as_the_declared_type(name: str, text: str, value: object) -> None:
    """What the command line gives as text becomes a value of the parameter's own type."""
    taken = read(**{name: text})[name]
    assert (taken, type(taken)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("n_trials", "abc"),
        ("n_trials", "1.5"),
        ("n_trials", "True"),
        ("n_trials", True),
        ("n_trials", None),
        ("timeout_s", "soon"),
        ("global_engine", "2"),
        ("global_engine", 1),
        ("attempt", 7),
        ("selection", "all"),
        ("levels", "(1, 2)"),
        ("options", "[]"),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, given: object) -> None:
    """A value that does not fit is refused with the parameter, its type, its default and what was given."""
    with pytest.raises(NotebookError) as refused:
        read(**{name: given})
    assert name in refused.value.found
    assert repr(given) in refused.value.found
    assert str(KNOWN[name]) in refused.value.wanted


def test_an_unknown_name_is_refused_with_the_list() -> None:
    """A mistyped name is refused; the message lists every parameter with its comment and guesses which was meant."""
    with pytest.raises(NotebookError) as refused:
        read(golbal_engine="yes")
    assert "sample.ipynb has no parameter 'golbal_engine'" in str(refused.value)
    assert all(str(parameter) in str(refused.value) for parameter in KNOWN.values())
    assert "'global_engine'" in refused.value.remedy


def test_a_notebook_without_parameters_takes_none() -> None:
    """Where no cell is tagged, any name is refused."""
    with pytest.raises(NotebookError, match="no parameter at all"):
        check({"n": 1}, {"sample.ipynb": declared(notebook(["n = 1"]))})


def test_of_several_notebooks_each_takes_what_it_declares() -> None:
    """A parameter goes to the notebooks that have it, and must be known to one of them."""
    other = declared(notebook([cell("n_trials = 1", "parameters", "parameters")]))
    both = {"a.ipynb": KNOWN, "b.ipynb": other}
    assert check({"n_trials": "2", "timeout_s": 1}, both) == {
        "a.ipynb": {"n_trials": 2, "timeout_s": 1.0},
        "b.ipynb": {"n_trials": 2},
    }
    with pytest.raises(NotebookError, match="None of 2 notebooks has a parameter 'n'"):
        check({"n": 1}, both)


def test_a_parameter_is_given_once() -> None:
    """The same name twice is a mistake, not a choice of the last."""
    assert pairs([("a", "1"), ("b", "2")]) == {"a": "1", "b": "2"}
    with pytest.raises(NotebookError, match="given twice"):
        pairs([("a", "1"), ("a", "2")])


def test_a_cell_of_parameters_that_is_no_python_is_refused() -> None:
    """A parameters cell that cannot be read is named, because nothing could be checked against it."""
    with pytest.raises(NotebookError, match=r"'parameters' of a.ipynb is not Python: invalid syntax, line 1"):
        declared(notebook([cell("n = = 1", "parameters", "parameters")]), "a.ipynb")


def test_magics_stand_beside_parameters() -> None:
    """Lines that are IPython's are none of Python's, and keep no parameter from being declared."""
    source = "%matplotlib inline\n!ls\nhere = %pwd\nhelp?\nn: int = 1  # how many? many\n?help"
    known = declared(notebook([cell(source, "parameters", "parameters")]))
    assert list(map(str, known.values())) == ["n: int = 1 (how many? many)"]


@pytest.mark.parametrize(
    ("declaration", "fits", "does_not"),
    [
        ("n: int = 3  # runs, at least 1; equal", 1, 0), ("n: float = 1.0  # seconds, more than 0", 0.5, 0),
        ("n: float = 1.0  # seconds, more than 0", 0.5, float("inf")),
        ("n: float = 1.0  # at least 1", 1, float("nan")),
    ],
)
def test_a_number_has_the_bound_that_its_comment_says(declaration: str, fits: float, does_not: float) -> None:
    """A number that is too small is refused before anything runs, with what is wanted."""
    known = {"a.ipynb": declared(notebook([cell(declaration, "parameters", "parameters")]))}
    assert check({"n": str(fits)}, known) == {"a.ipynb": {"n": fits}}
    for given in (str(does_not), "-1"):
        with pytest.raises(NotebookError, match=r"at least 1|more than 0"):
            check({"n": given}, known)
