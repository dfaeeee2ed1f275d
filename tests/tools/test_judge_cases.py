"""The judge of cases: what counts as a full answer, a half one, a wrong one, a missed one and a false alarm."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "tools/judge_cases.py"
CULPRIT = ["app/db.py:8", "tests/conftest.py:13"]


@pytest.fixture(scope="module")
def judge() -> ModuleType:
    """The program as a module."""
    spec = importlib.util.spec_from_file_location("judge_cases", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["judge_cases"] = module
    spec.loader.exec_module(module)
    return module


def cause(what: str, file: str = "app/db.py", line: int = 8) -> dict[str, Any]:
    return {"kind": "k", "what": what, "file": file, "line": line, "fix": ""}


def answer(status: str, *causes: dict[str, Any], unproved: tuple[str, ...] = ()) -> dict[str, Any]:
    """An answer of kit diagnose, in what the judge reads of it."""
    diagnosis = {"status": status, "happened": "", "causes": list(causes), "unproved": list(unproved)}
    return {"diagnosis": diagnosis, "findings": []}


WHOLE = cause("tests/conftest.py:12-13 sets the other one")


@pytest.mark.parametrize(
    ("told", "mark"),
    [
        (answer("proved", WHOLE), "full"),
        (answer("proved", cause("it leads there")), "half"),
        (answer("proved", cause("it leads there", "app/main.py", 3)), "wrong"),
        (answer("proved", WHOLE, cause("and this", "app/main.py", 3)), "wrong"),
        (answer("proved", cause("tests/conftest.py:13 goes first")), "wrong"),
        (answer("proved", cause("get_engine is cached", "app/main.py", 3)), "half"),
        (answer("unresolved", unproved=("seen at app/db.py:8 and tests/conftest.py:13",)), "half"),
        (answer("unresolved", unproved=("seen at app/db.py:8",)), "missed"),
        (answer("clean"), "missed"),
    ],
    ids=["full", "one-line", "another-line", "one-cause-too-many", "never", "by-text", "named", "half-named", "clean"],
)
def test_an_answer_is_judged_by_what_its_causes_name(judge: ModuleType, told: dict[str, Any], mark: str) -> None:
    """Every line named by proved causes is full; a proved cause that names none of them is wrong."""
    places = tuple((file, int(line)) for file, _, line in (entry.rpartition(":") for entry in CULPRIT))
    says = ("get_engine",) if "get_engine" in str(told) else ()
    case = judge.Known(("pytest",), (), places, says, ("goes first",))
    assert judge.mark_of_broken(case, told)[0] == mark


@pytest.mark.parametrize(
    ("told", "mark"),
    [(answer("clean"), "clean"), (answer("unresolved"), "unsure"), (answer("proved", WHOLE), "false alarm")],
)
def test_a_project_without_a_fault_has_nothing_told(judge: ModuleType, told: dict[str, Any], mark: str) -> None:
    """What is told of a clean project is a false alarm."""
    assert judge.mark_of_clean(told)[0] == mark
