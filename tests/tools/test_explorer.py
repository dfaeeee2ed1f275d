"""The explorer replays what a run has kept: it has each trial's own result, and says where it has none."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Browser, expect

from kit.errors import EvidenceError
from kit.evidence.model import Evidence
from kit.specimens.trial import Trial
from tests.kit_notebooks.board.test_comparing import run
from tests.kit_notebooks.test_in_browser import browser, tool  # noqa: F401

ROOT = Path(__file__).parents[2]
BOTH = ("ci_variable", "global_engine")


@pytest.fixture(scope="module")
def explorer() -> ModuleType:
    """The program, as a module."""
    spec = importlib.util.spec_from_file_location("kit_explorer", ROOT / "tools" / "explorer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def of(side: str, *boxes: str, way: str = "ci", stack: str = "current") -> Evidence:
    trial = Trial(boxes, selection="suite", way=way, stack=stack)
    return replace(run(side), trial=trial)


@pytest.fixture
def known(explorer: ModuleType) -> dict[Trial, Evidence]:
    """Both boxes on production, each alone on the test server, and the clean project, by hand only."""
    kept = [
        of("production", *BOTH), of("test", "ci_variable"), of("test", "global_engine", way="by_hand"),
        of("test", way="by_hand"),
    ]  # fmt: skip
    return explorer.trials(kept)


def test_what_is_no_trial_of_mechanisms_is_left_out(explorer: ModuleType) -> None:
    """Evidence that is damaged, of no trial, or of a variant is not shown; of two stacks one is."""
    kept = [
        EvidenceError("damaged"), replace(run("test"), trial=None), of("test", "null_pool"), of("test", "ci_variable"),
        of("production", "ci_variable", stack="2023-11"),
    ]  # fmt: skip
    found = explorer.trials(kept)
    assert list(found) == [Trial(("ci_variable",), selection="suite", way="ci")]
    assert found[Trial(("ci_variable",), selection="suite", way="ci")] is kept[3]


def test_each_trial_has_its_own_verdict_beside_the_clean_project(
    explorer: ModuleType, known: dict[Trial, Evidence]
) -> None:
    """The data have each trial under the name that the script makes of it, and trials that end alike share a page."""
    found = explorer.data(known)
    verdicts = {name: one["verdict"] for name, one in found["results"].items()}
    assert verdicts == {
        "ci_variable+global_engine dependency_override suite ci": "BROKEN",
        "ci_variable dependency_override suite ci": "HOLDS",
        "global_engine dependency_override suite by_hand": "HOLDS",
        " dependency_override suite by_hand": "HOLDS",
    }
    assert len(found["pages"]) == 2
    assert "Here the two part" in found["pages"][0]


def test_without_a_clean_project_a_trial_is_not_shown(explorer: ModuleType) -> None:
    """There is nothing beside which it could be shown."""
    assert explorer.data(explorer.trials([of("production", *BOTH)]))["results"] == {}


def test_a_run_without_a_design_has_no_explorer(explorer: ModuleType, tmp_path: Path) -> None:
    """A run of few notebooks keeps too few trials to explore."""
    assert explorer.write(tmp_path, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_click_shows_the_trial(
    explorer: ModuleType, known: dict[Trial, Evidence], browser: Browser, tmp_path: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a browser, from a file: each choice shows its own result, answers a prediction, or says that there is none."""
    monkeypatch.setattr(explorer, "kept", lambda folder: known.values())
    monkeypatch.setattr(explorer, "FEWEST", 1)
    (tmp_path / "_static").mkdir()
    text = explorer.write(tmp_path, tmp_path / "_static")
    html = text.partition("```{raw} html\n")[2].rpartition("```")[0]
    (tmp_path / "explorer.html").write_text(f"<!doctype html><title>explorer</title>{html}")
    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((tmp_path / "explorer.html").as_uri())
    shown = page.locator("#kit-explorer-result")
    expect(shown).to_contain_text("BROKEN: the production server")

    page.uncheck("[value=global_engine]")
    page.check("[name=predicted][value=BROKEN]")
    page.click("text=Show")
    expect(shown).to_contain_text("You predicted BROKEN, and it is HOLDS. Predictions that held: 0 of 1.")

    page.uncheck("[value=ci_variable]")
    page.check("[value=global_engine]")
    page.check("[name=predicted][value=HOLDS]")
    page.click("text=Show")
    expect(shown).to_contain_text("You predicted HOLDS, and it is so. Predictions that held: 1 of 2.")
    expect(shown).to_contain_text("One switch is connected to nothing here.")

    page.check("[name=selection][value=individual]")
    page.click("text=Show")
    expect(shown).to_have_text("This run has no trial of that. The board in JupyterLab runs it.")
    page.close()
    assert problems == []
