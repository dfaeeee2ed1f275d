"""Every variant is a small change of the clean specimen, and goes where mechanisms go."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from kit.mechanisms import MECHANISMS
from kit.project import project, write_project
from kit.variants import VARIANTS

each_variant = pytest.mark.parametrize("name", VARIANTS)


def test_variants_have_names_of_their_own() -> None:
    """A variant is found under its name, which no mechanism has."""
    assert all(name == variant.name for name, variant in VARIANTS.items())
    assert not set(VARIANTS) & set(MECHANISMS)


@each_variant
def test_a_variant_is_a_small_change(name: str) -> None:
    """A variant adds and takes away fewer than thirty lines of the clean specimen, and its diff shows them all."""
    shown = VARIANTS[name].diff()
    changed = [line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert 0 < len(changed) < 30
    added = [line for edit in VARIANTS[name].edits for line in edit.changed.splitlines() if line not in edit.clean]
    assert [line for line in added if not any(line in change for change in changed)] == []


@each_variant
@pytest.mark.parametrize("mechanism", ["global_engine", "ci_variable"])
def test_a_variant_goes_with_the_reported_mechanisms(name: str, mechanism: str, tmp_path: Path) -> None:
    """With either reported mechanism every edit of a variant is kept, and the project stays valid Python."""
    write_project(tmp_path, [name, mechanism], "none")
    files = project([name, mechanism], "none")
    edits = VARIANTS[name].edits + MECHANISMS[mechanism].edits
    assert [edit for edit in edits if edit.changed not in files[edit.path]] == []
    for path in tmp_path.rglob("*.py"):
        ast.parse(path.read_text(), str(path))
