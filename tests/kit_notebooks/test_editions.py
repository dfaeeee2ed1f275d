"""An edition of the notebooks for students has no solution in it; one for teachers has every exercise solved."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from kit.errors import NotebookError
from kit.notebooks import editions
from kit.notebooks.editions import Edition
from kit.notebooks.originals import originals

SOURCES = originals()


@pytest.fixture(scope="module", params=list(Edition))
def edition(request: pytest.FixtureRequest) -> Edition:
    """Each edition."""
    return request.param


@pytest.fixture(scope="module")
def written(edition: Edition, tmp_path_factory: pytest.TempPathFactory) -> dict[str, nbformat.NotebookNode]:
    """All notebooks of an edition, by their names."""
    paths = editions.write(edition, tmp_path_factory.mktemp("edition") / "class", SOURCES)
    return {path.name: nbformat.read(path, as_version=4) for path in paths}


def cells_with(nb: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in nb.cells if tag in cell.metadata.get("tags", [])]


def test_every_notebook_is_there_and_valid(written: dict[str, nbformat.NotebookNode]) -> None:
    """Each edition has all notebooks, and Jupyter accepts each."""
    assert list(written) == [path.name for path in SOURCES]
    for nb in written.values():
        nbformat.validate(nb)


def test_the_glossary_is_beside_the_notebooks(edition: Edition, tmp_path: Path) -> None:
    """The links to the glossary lead somewhere in each edition."""
    editions.write(edition, tmp_path / "class", SOURCES)
    assert (tmp_path / "class" / "glossary.md").read_text() == (SOURCES[0].parent / "glossary.md").read_text()


def test_students_get_no_solution(written: dict[str, nbformat.NotebookNode], edition: Edition) -> None:
    """The students' notebooks have the stubs and no solution; the teachers' have each solution in its stub's place."""
    for path in SOURCES:
        source, made = nbformat.read(path, as_version=4), written[path.name]
        for stub, solution in zip(cells_with(source, "exercise"), cells_with(source, "solution"), strict=True):
            code = solution.source.partition("```python\n")[2].partition("```")[0].rstrip()
            (mine,) = [cell for cell in made.cells if cell.get("id") == stub.id]
            if edition is Edition.STUDENT:
                assert mine.source == stub.source
                assert all(code not in cell.source for cell in made.cells)
            else:
                assert mine.source == code


def test_only_students_find_the_answer_folded(written: dict[str, nbformat.NotebookNode], edition: Edition) -> None:
    """The answer at the top of each notebook is behind a click for students, whole, and in the open for teachers."""
    for path in SOURCES:
        first = nbformat.read(path, as_version=4).cells[0].source
        answer = first.partition("**Answer.**")[2].partition("\n\n| | |")[0].strip()
        assert answer
        mine = written[path.name].cells[0].source
        assert answer in mine
        folded = f"</summary>\n\n{answer}\n\n</details>" in mine
        assert folded is (edition is Edition.STUDENT)
        assert mine.partition("| | |")[2] == first.partition("| | |")[2]


def test_a_folder_with_something_in_it_is_left(tmp_path: Path) -> None:
    """What a class has worked on is never written over."""
    (tmp_path / "01_the_failure.ipynb").write_text("worked on")
    with pytest.raises(NotebookError, match=r"is not empty\. Wanted: a folder that is new or empty"):
        editions.write(Edition.STUDENT, tmp_path, SOURCES)
    assert (tmp_path / "01_the_failure.ipynb").read_text() == "worked on"


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """Where a file is in the way, the message names it and says what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(NotebookError, match=r"file/class cannot be written: .*To do: name another folder"):
        editions.write(Edition.STUDENT, tmp_path / "file" / "class", SOURCES)
