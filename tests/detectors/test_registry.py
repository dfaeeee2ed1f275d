"""The registry of the kinds, their files, their document and their cases go together."""

from __future__ import annotations

import ast
import dataclasses
import pkgutil
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from kit import detectors
from kit.analysis.case import Case
from kit.analysis.databases import Allowed
from kit.analysis.model import Finding
from kit.cli import main
from kit.detectors.kind import Kind, Without, only_by_rerun
from kit.detectors.registry import KINDS
from kit.evidence.model import Evidence
from kit.report.kinds_text import document, example_of, explained, listed
from tests.cases.cases import FAULTY

ROOT = Path(__file__).parents[2]
CASES = {case.finding["kind"] for case in FAULTY if case.finding is not None}
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def modules() -> dict[str, str]:
    """The modules of the families that hold a kind, by the kind's name."""
    names = [module.name for module in pkgutil.walk_packages(detectors.__path__, "kit.detectors.")]
    found = {name: getattr(import_module(name), "KIND", None) for name in names if name.count(".") == 3}
    return {kind.name: name for name, kind in found.items() if kind is not None}


def test_every_file_of_a_kind_is_in_the_registry_once() -> None:
    """Each kind has a file of its own, named after it, in the folder of a family, and one row of the registry."""
    found = modules()
    assert sorted(kind.name for kind in KINDS) == sorted(found)
    assert [name for name, module in found.items() if module.rpartition(".")[2] != name.replace("-", "_")] == []


@kinds
def test_a_kind_says_everything(kind: Kind[object]) -> None:
    """A kind has a title, every part of an explanation, advice, and interventions or a reason why there are none."""
    said = kind.explains
    assert kind.title
    assert [part for part in (said.what, said.comes_about, said.proved, said.to_do) if not part.endswith(".")] == []
    assert callable(kind.interventions) or (isinstance(kind.interventions, Without) and kind.interventions.reason)
    assert callable(kind.advice)


@pytest.mark.parametrize("kind", [one for one in KINDS if one.detect is only_by_rerun], ids=lambda kind: kind.name)
def test_a_kind_that_only_a_rerun_shows_is_found_in_no_run_and_has_advice(kind: Kind[object]) -> None:
    """What a re-run has found is told with its line, though no run of the tests shows it by itself."""
    assert list(kind.detect(Case(Evidence(), (), Allowed(None, "/project"), ()))) == []
    assert "app/db.py" in kind.advice(Finding(kind.name, "", "app/db.py", 5, None))


@kinds
def test_an_example_can_be_read_by_python(kind: Kind[object]) -> None:
    """The example of a kind is Python, or what is typed in a shell, of at most twelve lines."""
    example = example_of(kind)
    assert example
    assert len(example.splitlines()) <= 12
    if not example.startswith("$"):
        ast.parse(example)


@kinds
def test_a_kind_has_a_case(kind: Kind[object]) -> None:
    """A project under tests/cases shows the kind."""
    assert kind.name in CASES


def test_only_kinds_that_are_there_have_cases() -> None:
    """What the cases show is in the registry."""
    assert CASES - {kind.name for kind in KINDS} == set()


def test_the_page_of_the_findings_is_that_of_the_registry() -> None:
    """docs/findings.md is what tools/findings_page.py writes out of the registry as it is."""
    assert (ROOT / "docs" / "findings.md").read_text() == document(KINDS)


def test_a_kinds_name_stands_in_its_own_file_alone() -> None:
    """No other file of the kit has the name of a kind as a string: nothing has to be kept in step with it."""
    own = {(module.replace(".", "/") + ".py", name) for name, module in modules().items()}
    names = {kind.name for kind in KINDS}
    assert [entry for entry in strings(names) if entry not in own] == []


# They hold for every kind, and ask a kind by its hooks: `words`, `explains_others`, Candidate.carried.
GENERAL = ["answer", "report", "diagnosing/wording.py", "diagnosing/search.py", "diagnosing/conclusion.py",
           "diagnosing/judge.py", "diagnosing/left_open.py", "diagnosing/command.py"]  # fmt: skip


@pytest.mark.parametrize("general", GENERAL)
def test_what_holds_for_every_kind_names_none(general: str) -> None:
    """Neither the file of a kind is imported there, nor a field used that the `About` of one kind alone has."""
    fields = Counter(name for module in modules().values() for name in about_of(module))
    own = {name for name, kinds in fields.items() if kinds == 1}
    place = ROOT / "kit" / general
    asked: list[str] = []
    for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
        nodes = list(ast.walk(ast.parse(path.read_text())))
        asked += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and of_a_family(node.module or "")]
        asked += [name for node in nodes if isinstance(node, ast.Call) for name in gotten(node) if name in own]
    assert asked == []


def of_a_family(module: str) -> bool:
    return any(module.startswith(f"kit.detectors.{name.split('.')[2]}") for name in modules().values())


def about_of(module: str) -> list[str]:
    about = getattr(import_module(module), "About", None)
    return [field.name for field in dataclasses.fields(about)] if about is not None else []


def gotten(call: ast.Call) -> list[str]:
    """The name that a call of `getattr` asks for."""
    named = [argument.value for argument in call.args[1:2] if isinstance(argument, ast.Constant)]
    return named if isinstance(call.func, ast.Name) and call.func.id == "getattr" else []


def strings(names: set[str]) -> list[tuple[str, str]]:
    """The files of the kit that hold one of these strings, each with the string."""
    found = []
    for path in sorted((ROOT / "kit").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and node.value in names:
                found.append((path.relative_to(ROOT).as_posix(), node.value))
    return found


@kinds
def test_explain_shows_a_kind(kind: Kind[object]) -> None:
    """`kit explain KIND` prints what the kind is, within a hundred columns but for its example."""
    shown = CliRunner().invoke(main, ["explain", kind.name])
    assert (shown.exit_code, shown.output) == (0, explained(kind))
    assert [line for line in shown.output.splitlines() if len(line) > 100 and not line.startswith("    ")] == []


def test_explain_without_a_kind_lists_all() -> None:
    """`kit explain` prints the name and the title of every kind."""
    shown = CliRunner().invoke(main, ["explain"])
    assert (shown.exit_code, shown.output) == (0, listed(KINDS))
    assert [kind.name for kind in KINDS if f"{kind.title}\n" not in shown.output] == []


def test_a_misspelt_kind_is_answered_with_those_like_it() -> None:
    """A kind that is not there is a mistake of the user's, and those of a like name are told."""
    shown = CliRunner().invoke(main, ["explain", "override-leeked"])
    assert shown.exit_code == 2
    assert "override-leaked" in shown.output
    assert "kit explain lists all kinds" in CliRunner().invoke(main, ["explain", "xyzzy"]).output
