"""Every variant is a small change of the clean specimen, and any two pieces go together unless they contradict."""

from __future__ import annotations

import ast
from itertools import combinations
from pathlib import Path

import pytest

from kit.errors import TrialError
from kit.specimens.attempts import ATTEMPTS, CONFTEST
from kit.specimens.build import project, write_project
from kit.specimens.contradictions import CONTRADICTIONS
from kit.specimens.edits import change_of
from kit.specimens.mechanisms import MECHANISMS, clean_specimen
from kit.specimens.variants import VARIANTS
from tests.specimens.test_mechanisms import collected

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


PIECES = {name: piece.edits for name, piece in [*MECHANISMS.items(), *VARIANTS.items()]}
PAIRS = list(combinations(PIECES, 2))
TOGETHER = [pair for pair in PAIRS if frozenset(pair) not in CONTRADICTIONS]


def assert_built(names: tuple[str, ...], attempt: str) -> None:
    """What every edit of these pieces changes is in the project, whose Python is valid."""
    clean, files = clean_specimen(), project(names, attempt)
    edits = [edit for name in names for edit in PIECES[name]] + list(ATTEMPTS[attempt].edits)
    put_in = [(e.path, change_of(e, clean[e.path]).new if e.path in clean else e.changed) for e in edits]
    assert [(path, text) for path, text in put_in if text not in files[path]] == [], names
    for path, text in files.items():
        if path.endswith(".py") and text != clean.get(path):
            ast.parse(text, path)


def test_every_pair_can_be_built_unless_it_contradicts_itself() -> None:
    """Any two mechanisms and variants go together, and keep all that either of them changes."""
    for pair in TOGETHER:
        assert_built(pair, "none")


def test_a_warm_pool_adds_nothing_but_the_visit_to_an_engine_that_follows_the_settings() -> None:
    """With and without the visit the application is the same, so that runs of the two differ in the visit alone."""
    warm, without = project(("warm_pool",), "none"), project(("settings_followed",), "none")
    assert [path for path in warm if warm[path] != without[path]] == [CONFTEST]
    assert without["app/database.py"] != clean_specimen()["app/database.py"]


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_every_piece_goes_with_every_attempt_unless_they_contradict_each_other(attempt: str) -> None:
    """Any mechanism or variant goes with any attempt, alone and in the reported project."""
    for name in PIECES:
        if frozenset((name, attempt)) not in CONTRADICTIONS:
            assert_built((name,), attempt)
            assert_built(tuple({name, "global_engine", "ci_variable"}), attempt)


def test_the_order_of_the_names_does_not_matter() -> None:
    """A pair makes one project, whichever of the two is named first."""
    assert [pair for pair in TOGETHER if project(pair, "none") != project(pair[::-1], "none")] == []


def test_contradictions_are_few_and_each_is_refused_with_its_reason() -> None:
    """What cannot go together is listed, says why, and names pieces that there are."""
    of_pieces = [pair for pair in PAIRS if frozenset(pair) in CONTRADICTIONS]
    assert (len(PAIRS), len(of_pieces)) == (820, 11)
    for pair, reason in CONTRADICTIONS.items():
        pieces, attempts = sorted(pair & set(PIECES)), pair & set(ATTEMPTS)
        assert len(pieces) + len(attempts) == 2
        with pytest.raises(TrialError, match=f"contradict each other: {reason}"):
            project(pieces, *(attempts or {"none"}))


@pytest.mark.timeout(600)  # one process of pytest for each of them
def test_pairs_collect(tmp_path: Path) -> None:
    """Pytest collects each seventh pair; some use what FastAPI and Starlette warn of, such as start-up events."""
    directories = {pair: tmp_path / "-".join(pair) for pair in list(TOGETHER)[::7]}
    for pair, directory in directories.items():
        write_project(directory, pair, "none")
    codes = collected(list(directories.values()), warnings="default")
    assert [pair for pair, directory in directories.items() if codes[directory] != 0] == []
