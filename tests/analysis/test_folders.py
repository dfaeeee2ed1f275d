"""A relative path leads elsewhere once somebody has changed the working directory for good."""

from __future__ import annotations

from dataclasses import replace

from kit.analysis.model import Finding
from kit.evidence.model import Folder
from tests.analysis.seen_runs import BY_TESTS, found, leak


def changes(*folders: tuple[float, str, str], url: str = "sqlite:///prod.db", test: str = "t.py::one") -> Finding:
    """What is found where one test went from folder to folder, before another went to production."""
    events = tuple(
        Folder(at_s=at_s, stack=BY_TESTS, before=before, path=path, test=test) for at_s, before, path in folders
    )
    (finding,) = found(replace(leak(url=url), folders=events))
    return finding


def test_a_test_that_does_not_go_back_is_the_culprit() -> None:
    """The last change that was not undone is told with its line and its test."""
    finding = changes((1.0, "/project/tests", "/project"))
    assert (finding.kind, finding.where) == ("working-directory-changed", "tests/conftest.py:4")
    assert "in t.py::one" in finding.message


def test_one_that_goes_back_is_not() -> None:
    """A change that was undone explains nothing, nor does any where the path is whole."""
    assert changes((1.0, "/project", "/tmp"), (2.0, "/tmp", "/project")).kind == "engine-not-replaced"
    assert changes((1.0, "/project/tests", "/project"), url="sqlite:////project/prod.db").kind == "engine-not-replaced"
