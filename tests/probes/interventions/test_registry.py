"""An intervention is one type: what plans it, what writes it down, what puts it in and what judges it read the same."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from kit.probes.interventions import base, registry
from kit.probes.interventions.base import File, Intervention, TakenAway
from kit.probes.interventions.connections import RedirectEngine
from kit.probes.interventions.registry import INTERVENTIONS, intervention_from
from kit.probes.interventions.state import Watched
from kit.probes.interventions.tests import LeaveOut
from kit.probes.interventions.texts import EditModule
from tests.probes.seen import run

KIT = Path(registry.__file__).parents[2]
HERE = "tests/it.py"
SECRET = "Zq7x-Hunter-92k"


def example(kind: type[Intervention]) -> Intervention:
    """One of this kind, with something other than the default in each field."""
    hints = get_type_hints(kind, include_extras=True)
    return kind(**{field.name: _example(hints[field.name], field.name) for field in fields(kind)})


def _example(hint: Any, name: str) -> Any:
    if hint == File:
        return HERE
    if isinstance(hint, type) and issubclass(hint, Watched):
        return Watched("place", "holder", "label")
    if hint in (str, int, bool):
        return {str: SECRET if name in ("value", "seal_key") else f"a {name}", int: 3, bool: True}[hint]
    kinds = get_args(hint)
    assert kinds, f"{name}: {hint} has no form in JSON"
    return tuple(_example(one, name) for one in kinds if one is not ...)


ALL = pytest.mark.parametrize("kind", INTERVENTIONS, ids=lambda kind: kind.op)


def declared() -> set[type[Intervention]]:
    """Every class of an intervention in the modules that the registry reads."""
    found = list(Intervention.__subclasses__())
    for kind in found:
        found += kind.__subclasses__()
    return {kind for kind in found if kind.__module__.startswith(base.__name__.rpartition(".")[0])}


def test_every_intervention_is_registered_once() -> None:
    """No class is left out of the registry, and no two have the same name in JSON."""
    assert set(INTERVENTIONS) == declared()
    assert len({kind.op for kind in INTERVENTIONS}) == len(INTERVENTIONS)


@ALL
def test_each_is_a_frozen_type_that_says_what_it_does(kind: type[Intervention]) -> None:
    """It is frozen, has an explanation of its own, a way to be put in, and a label without what may be secret."""
    one = example(kind)
    assert is_dataclass(kind)
    assert hash(one) == hash(example(kind))
    assert inspect.getdoc(kind) != inspect.getdoc(Intervention)
    assert kind.apply is not Intervention.apply
    assert kind.label is not Intervention.label
    assert one.label.split()[0] in ("with", "without", "in", "stopped")
    assert SECRET not in one.label + repr(one)


@ALL
def test_each_comes_back_out_of_json(kind: type[Intervention]) -> None:
    """What a re-run reads is what was planned, with the defaults and with every field given."""
    one = example(kind)
    assert intervention_from(json.loads(json.dumps(one.as_json()))) == one
    required = {field.name: getattr(one, field.name) for field in fields(kind) if field.default is MISSING}
    assert intervention_from(json.loads(json.dumps({"op": kind.op, **required}))) == kind(**required)


@ALL
def test_the_files_of_each_are_named_whole(kind: type[Intervention]) -> None:
    """Every field that names a file does so from the folder of the command; no other field changes."""
    one = example(kind)
    before, after = json.dumps(one.as_json()), json.dumps(one.placed("/project").as_json())
    assert after == before.replace(HERE, f"/project/{HERE}")
    assert one.placed("/project").placed("/elsewhere") == one.placed("/project")
    assert {field.name for field in fields(kind) if "file" in field.name} <= {
        name for name, hint in get_type_hints(kind, include_extras=True).items() if File in (hint, *get_args(hint))
    }


def test_a_file_that_is_not_named_stays_so() -> None:
    """Where nothing is named, nothing is placed."""
    assert RedirectEngine((("app.py", 1),)).placed("/project") == RedirectEngine((("/project/app.py", 1),))


def called(path: Path) -> Iterator[str]:
    """The names that are called in a module, those of classes among them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


@cache
def made() -> frozenset[str]:
    """What is called anywhere in the kit but in the probes, which put it in, and in the specimens."""
    makers = [path for path in KIT.rglob("*.py") if "probes" not in path.parts and "specimens" not in path.parts]
    return frozenset(name for path in makers for name in called(path))


@ALL
def test_each_is_made_by_a_plan(kind: type[Intervention]) -> None:
    """Whatever can be put in is asked for somewhere in the kit; what nobody asks for is to be deleted."""
    assert kind.__name__ in made()


def test_one_that_is_not_known_is_refused() -> None:
    """The kit and the probes of another version do not guess what the other means."""
    for found in ({"op": "unheard-of"}, {"op": "unset", "nme": "DATABASE_URL"}, {"op": "unset"}):
        with pytest.raises(ValueError, match="no such intervention: un"):
            intervention_from(found)


def test_what_each_takes_away() -> None:
    """A run does without lines that are edited, tests that are left out and routes that are not run, and no more."""
    taken = {kind.op: example(kind).takes_away for kind in INTERVENTIONS}
    assert {op for op, gone in taken.items() if gone != TakenAway()} == {"edit", "leave-out", "no-lifespan"}
    assert LeaveOut(("a::b",), ("c.py",)).takes_away.tests == ("a::b", "c.py")
    edited = EditModule("app.py", ((3, 4, "pass"),)).takes_away
    assert [edited.holds("app.py", line) for line in (2, 3, 4, 5)] == [False, True, True, False]
    assert not edited.holds("other.py", 3)


def test_a_run_without_interventions_imports_none(tmp_path: Path) -> None:
    """They cost a run nothing that has none of them: the interpreter has no module more for it."""
    program = "import sys; print([name for name in sys.modules if '.interventions.' in name])"
    seen = run(tmp_path, {"it.py": program}, "it.py")
    assert seen.output == "[]\n"
