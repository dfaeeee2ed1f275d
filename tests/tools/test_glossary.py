"""Notebooks and glossary agree: each word is linked once, where it is first used, and each link has an entry."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
HOSTS = {"docs.pytest.org", "docs.sqlalchemy.org", "fastapi.tiangolo.com"}
_found = importlib.util.spec_from_file_location("kit_tools_glossary", ROOT / "tools" / "glossary.py")
assert _found is not None
assert _found.loader is not None
glossary: Any = importlib.util.module_from_spec(_found)
sys.modules[_found.name] = glossary  # its dataclass looks there
_found.loader.exec_module(glossary)
TEXT = glossary.GLOSSARY.read_text("utf-8")
WORDS = glossary.entries(TEXT)


def notebook(*texts: str, tags: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"cells": [
        {"cell_type": "markdown", "metadata": {"tags": list(tags)}, "source": text.splitlines(keepends=True)}
        for text in texts
    ]}


def shown(nb: dict[str, Any]) -> list[str]:
    return ["".join(cell["source"]) for cell in nb["cells"]]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_each_word_is_linked_once_where_it_is_first_used(path: Path) -> None:
    """Links and entries agree in every notebook."""
    assert glossary.faults(json.loads(path.read_text("utf-8")), WORDS) == []


def test_each_word_has_one_entry_in_the_order_of_the_alphabet() -> None:
    """An entry is found at once, has a text, and is what a notebook or a document links to."""
    assert sorted(set(WORDS)) == WORDS
    assert all(word == word.lower() and re.fullmatch(r"[a-z -]+", word) for word in WORDS)
    for part in TEXT.split("\n## ")[1:]:
        assert len(part.partition("\n")[2].strip()) > 30, part
    documents = [path.read_text("utf-8") for path in (*NOTEBOOKS, ROOT / "docs" / "how-it-works.md")]
    linked = {to for text in (TEXT, *documents) for to in re.findall(r"\]\([^)\s]*#([a-z-]+)\)", text)}
    assert {glossary.anchor(word) for word in WORDS} - linked == set()


@pytest.mark.parametrize("path", [glossary.GLOSSARY, *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name)
def test_links_to_entries_in_texts_have_their_entry(path: Path) -> None:
    """The glossary's own links, and those of the documents, lead to an entry."""
    own = r"\]\(#([\w-]+)\)" if path == glossary.GLOSSARY else r"glossary\.md#([\w-]+)\)"
    assert set(re.findall(own, path.read_text("utf-8"))) <= {glossary.anchor(word) for word in WORDS}


def test_links_elsewhere_lead_to_the_documentation_of_what_is_used() -> None:
    """Notebooks and glossary link to other notebooks, the glossary, and the documentation of three libraries."""
    names = {path.name for path in NOTEBOOKS}
    for path in (*NOTEBOOKS, glossary.GLOSSARY):
        for to in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)):
            if to.startswith("http"):
                assert re.match(r"https://([^/]+)/", to)[1] in HOSTS, to  # type: ignore[index]
            elif to.endswith(".ipynb"):
                assert to in names, to


def test_what_does_not_agree_is_found() -> None:
    """A word without a link, a link without an entry, a second link, and a link that comes too late."""
    words = ["lazy engine", "trial"]
    assert glossary.faults(notebook("Two trials."), words) == ["'trial' is not linked"]
    assert glossary.faults(notebook("A [x](glossary.md#xs)."), words) == ["'x' is linked to xs, which has no entry"]
    twice = "A [trial](glossary.md#trial)."
    assert glossary.faults(notebook(twice, twice), words) == ["'trial' is linked twice"]
    assert glossary.faults(notebook("A trial.", twice), words) == ["'trial' is used before its link"]
    assert glossary.faults(notebook(twice, "A trial."), words) == []


def test_headings_code_the_answer_and_solutions_are_not_running_text() -> None:
    """Nothing is linked where a reader would not see the link first, or where it would break code."""
    top = "# Is it a trial?\n\n**Answer.** A trial,\nand a trial.\n\n| Takes | `trial`, <b title='trial'> |"
    assert glossary.faults(notebook(top, "```\ntrial\n```", "[a trial](01_trial.ipynb)"), ["trial"]) == []
    assert glossary.faults(notebook("A trial.", tags=("solution",)), ["trial"]) == []


def test_linking_links_first_uses_and_changes_nothing_the_second_time() -> None:
    """A longer word hides the shorter one in it, a plural counts, and links by hand stay where they are."""
    words = ["engine", "lazy engine", "trial", "twin"]
    nb = notebook("Lazy\nengines, and engines.", "A [pair](glossary.md#twin) of trials. A trial.")
    glossary.link(nb, words)
    wanted = [
        "[Lazy\nengines](glossary.md#lazy-engine), and [engines](glossary.md#engine).",
        "A [pair](glossary.md#twin) of [trials](glossary.md#trial). A trial.",
    ]
    assert shown(nb) == wanted
    glossary.link(nb, words)
    assert shown(nb) == wanted
    assert glossary.faults(nb, words) == []


def test_a_word_that_moves_up_gets_its_link_there() -> None:
    """After an edit above it the link is made anew at the first use, and the old one is text again."""
    nb = notebook("A trial.", "A [trial](glossary.md#trial).")
    glossary.link(nb, ["trial"])
    assert shown(nb) == ["A [trial](glossary.md#trial).", "A trial."]
