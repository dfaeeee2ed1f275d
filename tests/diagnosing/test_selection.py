"""A selection is the fewest tests that show it, is worth what it costs, and grows by what it did not explain."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from kit.analysis.databases import Allowed
from kit.answer.model import answer
from kit.diagnosing.judge import Symptom, symptoms_of
from kit.diagnosing.selection import SPARED_AT_LEAST, SPARED_AT_LEAST_S, is_worth_it, smallest, with_one_more
from kit.evidence.model import Connection, Evidence, Outcome, Process, Use

PROCESS = Process(pid=1, ppid=0, argv=("python",), executable="python", python="3.12.1", parent=None)


def name(number: int) -> str:
    return f"tests/test_it.py::test_{number}"


def symptom(tests: int, affected: Collection[int], duration_s: float = 0.0) -> Symptom:
    """What went wrong in a run of so many tests, of which these reached the wrong file."""
    evidence = Evidence(
        processes=(PROCESS,),
        exit_code=1,
        connections=(Connection(at_s=1, connection="c1", driver="sqlite3", configured="/project/prod.db",
                                observed={"file": "/project/prod.db"}),),
        uses=tuple(Use(at_s=1.0 + n, connection="c1", phase="call", test=name(n)) for n in affected),
        outcomes=tuple(Outcome(test=name(n), when="call", outcome="passed", at_s=1.5 + n, duration_s=duration_s)
                       for n in range(tests)),
    )  # fmt: skip
    (found,) = symptoms_of(answer(evidence, Allowed(("test.db",), "/project"), "/project"))
    return found


def kept(whole: Symptom, small: Symptom | None) -> list[str]:
    assert small is not None
    return [test for test in sorted(whole.tests) if test not in small.apart]


def test_one_test_stands_for_all_that_go_the_same_way() -> None:
    """Of many tests that reach it by one line, the first is run, and all others are left out."""
    whole = symptom(100, range(40, 60))
    small = smallest(whole, lambda _: True)
    assert kept(whole, small) == [name(40)]
    assert small is not None
    assert (small.affected, small.selected) == ((name(40),), True)


def test_what_a_test_needs_before_it_is_found_by_halves() -> None:
    """Where it shows only after another test, that one is kept, with about 2 log2 n runs."""
    whole, asked = symptom(200, range(120, 140)), []

    def shows(small: Symptom) -> bool:
        asked.append(small)
        return name(17) not in small.apart

    assert kept(whole, smallest(whole, shows)) == sorted([name(120), name(17)])
    assert len(asked) <= 16


def test_what_needs_all_tests_before_it_has_no_selection() -> None:
    """Where neither half shows it, all tests are run."""
    assert smallest(symptom(200, range(150, 160)), lambda small: False) is None


@pytest.mark.parametrize(
    ("tests", "duration_s", "worth"),
    [(SPARED_AT_LEAST, 0, False), (SPARED_AT_LEAST + 1, 0, True), (3, SPARED_AT_LEAST_S / 2, True), (3, 0.1, False)],
)
def test_a_selection_that_spares_little_is_none(tests: int, duration_s: float, worth: bool) -> None:
    """It is worth it by the number of tests that are spared, or by their time; else no run is made for it."""
    whole, asked = symptom(tests, [0], duration_s), []

    def shows(small: Symptom) -> bool:
        asked.append(small)
        return True

    small = smallest(whole, shows)
    assert ((small is not None), bool(asked)) == (worth, worth)
    assert small is None or is_worth_it(whole, small)


def test_a_test_that_shows_it_all_the_same_is_added_once() -> None:
    """A selection that did not explain a test grows by it; by one that it has, or that shows nothing, it does not."""
    whole = symptom(100, range(40, 60))
    small = smallest(whole, lambda _: True)
    assert small is not None
    more = with_one_more(whole, small, [name(40), name(3), name(50)])
    assert kept(whole, more) == [name(40), name(50)]
    assert with_one_more(whole, small, [name(40), name(3)]) is None
