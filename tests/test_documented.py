"""The documents name every command, option and target, and every command that they show is one that there is."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kit.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = (ROOT / "docs" / "commands.md").read_text()
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]

# Commands that a test elsewhere runs or checks, each with that test. The others are run by tests/live/test_readme.py.
CHECKED_BY = {
    "make investigate": "tests/test_packaging.py::test_the_targets_call_what_the_readme_says",
    "make test": "tests/test_packaging.py::test_the_targets_call_what_the_readme_says",
    "make test PYTHON=python3.14": "tests/test_packaging.py::test_a_named_python_is_used",
    "make lab": "tests/test_packaging.py::test_the_targets_call_what_the_readme_says",
    "conda env create --file environment.yml": "tests/test_packaging.py::test_conda_environment_agrees",
    "conda activate fastapi-database-isolation-kit": "tests/test_packaging.py::test_conda_environment_agrees",
}


def shown_blocks(text: str) -> list[list[str]]:
    """Return the blocks that are meant for a shell, each as its command lines."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [[line.strip() for line in block.splitlines() if line.strip()] for block in blocks]


def shown_commands(text: str) -> list[str]:
    """Return each command line of these blocks."""
    return [line for block in shown_blocks(text) for line in block]


def commands(group: click.Group = main, before: str = "kit") -> Iterator[tuple[str, click.Command]]:
    """Yield each command that does something, by its whole name."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before} {name}")
        else:
            yield f"{before} {name}", command


def options(command: click.Command) -> Iterator[str]:
    """Yield each option of a command by its longest name."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield max(parameter.opts, key=len)


def rows_about(name: str, text: str) -> list[str]:
    """Return the table rows about a command: its own, and those below that begin with dots."""
    rows: list[str] = []
    about_it = False
    for row in (row for row in text.splitlines() if row.startswith("| `")):
        about_it = row.startswith(f"| `{name}") or (about_it and row.startswith("| `..."))
        rows += [row] if about_it else []
    return rows


def undocumented(text: str) -> list[str]:
    """Return the commands, options and make targets that a text does not mention."""
    missing = []
    for name, command in commands():
        rows = rows_about(name, text)
        missing += [] if rows else [name]
        missing += [f"{name} {option}" for option in options(command) if not any(option in row for row in rows)]
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    return missing + [f"make {target}" for target in targets if f"`make {target}`" not in text]


def names_of_tests(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_command_is_documented() -> None:
    """Every command of the kit, every option, and every target of make is in docs/commands.md."""
    assert undocumented(COMMANDS) == []


@pytest.mark.parametrize("left_out", ["`kit down`", "--report-ports", "--timeout-cell", "`make clean`", "--export"])
def test_what_is_left_out_is_seen(left_out: str) -> None:
    """A command, option or target that docs/commands.md loses is found."""
    assert undocumented(COMMANDS.replace(left_out, "")) != []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_option_that_is_shown_exists(document: Path) -> None:
    """Every `kit` command line in a document is one that the command accepts."""
    text = document.read_text()
    known = {
        name: {option for parameter in command.params for option in parameter.opts} for name, command in commands()
    }
    shown = [*shown_commands(text), *re.findall(r"`(kit [a-z][^`]*)`", text)]
    for line in (line.split(" -- ")[0] for line in shown):
        for name in (name for name in known if line.startswith(f"{name} ")):
            words = re.findall(r"(?<!\S)--?[a-z][a-z-]*", line)
            assert set(words) <= known[name] | {"--help"}, line


def test_every_command_shown_has_a_test() -> None:
    """Every command line in the README is run by the tests of the README, or checked by a test that exists."""
    for command, test in CHECKED_BY.items():
        path, name = test.split("::")
        assert name in names_of_tests(path), f"{command}: there is no test {test}"
    assert set(CHECKED_BY) <= set(shown_commands(README))


def test_every_notebook_is_listed_with_its_question() -> None:
    """The README names each notebook, and asks what its title asks."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        title = json.loads(path.read_text("utf-8"))["cells"][0]["source"][0].removeprefix("# ").strip()
        assert f"| `{path.stem}` | {title}" in README


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_are_linked_exist(document: Path) -> None:
    """Every file that a document links to, or shows as a picture, is there."""
    text = document.read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text) + re.findall(r'<img[^>]+src="([^"]+)"', text)
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_readme_leads_to_every_document() -> None:
    """A reader of the README, and of what it links to, comes to every document."""
    found, last = {ROOT / "README.md"}, set[Path]()
    while found != last:
        last = set(found)
        for document in last:
            linked = re.findall(r"\]\((?!https?:)([^)#]+\.md)\)", document.read_text())
            found |= {(document.parent / link).resolve() for link in linked}
    assert set(DOCUMENTS) - found == set()


def test_every_path_that_a_document_names_exists() -> None:
    """What a document calls a file or a folder of the kit, of its tests or tools, is there."""
    path = re.compile(r"`((?:kit|tests|tools|notebooks)/[\w./-]+)(?:::\w+(?:\[[^\]`]*\])?)?`")
    named = {(document.name, found) for document in DOCUMENTS for found in path.findall(document.read_text())}
    examples = {entry for entry in named if "NAME" in entry[1]}
    assert {entry for entry in named - examples if not (ROOT / entry[1]).exists()} == set()
