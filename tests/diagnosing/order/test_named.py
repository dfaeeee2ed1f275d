from __future__ import annotations

import pytest

from kit.diagnosing.order.named import named
from kit.evidence.model import Evidence, Outcome

ENDED = {
    "a.py::test_first": "passed",
    "a.py::Things::test_one[a b]": "failed",
    "a.py::Things::test_one[c/d::e]": "failed",
    "a.py::Things::test_two": "passed",
    "b/c.py::test_one[1]": "passed",
    "b/c.py::test_one[2]": "passed",
    "b/c.py::test_one_more": "failed",
}
EVIDENCE = Evidence(
    outcomes=tuple(Outcome(test=test, when="call", outcome=how, at_s=1.0) for test, how in ENDED.items())
)


@pytest.mark.parametrize(
    ("name", "tests"),
    [
        ("a.py::Things::test_one[c/d::e]", ["a.py::Things::test_one[c/d::e]"]),
        ("./a.py::test_first", ["a.py::test_first"]),
        ("a.py::Things::test_one", ["a.py::Things::test_one[a b]", "a.py::Things::test_one[c/d::e]"]),
        ("a.py::Things", ["a.py::Things::test_one[a b]", "a.py::Things::test_one[c/d::e]"]),
        ("a.py", ["a.py::Things::test_one[a b]", "a.py::Things::test_one[c/d::e]"]),
        ("b/c.py::test_one", ["b/c.py::test_one[1]"]),
        ("b", ["b/c.py::test_one_more"]),
        ("a.py::test_fir", ["a.py::test_fir"]),
    ],
)
def test_a_name_stands_for_its_tests(name: str, tests: list[str]) -> None:
    """An id is one test, whatever is in its brackets; a file, class or function stands for those that failed."""
    assert list(named(EVIDENCE, [name])) == tests


def test_a_test_is_named_once() -> None:
    """A class and one of its tests are not examined twice."""
    names = ["a.py::Things", "a.py::Things::test_one[a b]"]
    assert list(named(EVIDENCE, names)) == ["a.py::Things::test_one[a b]", "a.py::Things::test_one[c/d::e]"]
