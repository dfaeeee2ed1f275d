"""The notebooks to run, each with its parameters, or with the reason why it cannot run."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.errors import KitError, NotebookError
from kit.notebooks.investigate import exercises, parameters
from kit.notebooks.originals import NAME, notebooks_in, originals

STACK_PARAMETER = "stack"
KERNEL = "python3"


@dataclass(frozen=True, slots=True)
class Task:
    """A notebook that was read, with its parameters. Tasks with `last` wait for all others.

    `problem` is why it cannot be run; `nb` is then empty.
    """

    path: Path
    nb: Any = field(repr=False)
    parameters: Mapping[str, Any]
    problem: KitError | None = None

    @property
    def name(self) -> str:
        """The name of the notebook, and of its saved files."""
        return self.path.stem

    @property
    def last(self) -> bool:
        """Whether it reads the claims of the others."""
        return bool(self.nb.metadata.get("kit", {}).get("last", False))


def tasks(
    asked: Sequence[Path], given: Mapping[str, Any] | Iterable[tuple[str, Any]], stack: str | None, *, solved: bool
) -> list[Task]:
    """Read the notebooks and check the parameters. An unreadable notebook does not prevent the others from running.

    Raises NotebookError for a path that does not exist, for parameters that fit no notebook, and when none can be run.
    """
    values = parameters.pairs(given)
    if stack is not None and STACK_PARAMETER in values:
        raise NotebookError("The stack is given twice", remedy="give --stack, or the parameter stack, not both")
    found = read_all(asked)
    _refuse_equal_names([task.path for task in found])
    readable = [task for task in found if task.problem is None]
    if not readable and found[0].problem is not None:
        raise found[0].problem
    known = {task.path.name: parameters.declared(task.nb, task.path.name) for task in readable}
    taken = parameters.check(values, known)
    for task in readable:
        if stack is not None and STACK_PARAMETER in known[task.path.name]:
            taken[task.path.name][STACK_PARAMETER] = stack
        if solved:
            exercises.put_solutions_in(task.nb)
    return [Task(task.path, task.nb, taken.get(task.path.name, {}), task.problem) for task in found]


def read_all(asked: Sequence[Path]) -> list[Task]:
    """Read the notebooks without values for their parameters. Raises NotebookError for a path that does not exist."""
    return [_read(path) for path in _paths(asked)]


def nbformat() -> Any:
    """Import nbformat without the grammar of international URLs, which takes a second and is never used."""
    with _without("rfc3987_syntax"):
        import nbformat
    return nbformat


def _paths(asked: Sequence[Path]) -> list[Path]:
    """Return absolute paths; by default all of the folder `notebooks`, else all of the kit's own."""
    if not asked:
        return [path.resolve() for path in notebooks_in(Path(NAME)) or originals()]
    for path in asked:
        if path.is_dir():
            raise NotebookError(f"{path} is a folder", wanted="notebooks", remedy=f"name those in it: {path}/*.ipynb")
        if not path.is_file():
            raise NotebookError(f"There is no notebook {path}", remedy="correct the path")
    return [path.resolve() for path in asked]


def _refuse_equal_names(paths: Sequence[Path]) -> None:
    names = [path.stem for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise NotebookError(f"Two notebooks are called {name}", remedy="run one after the other, or rename one")


def _read(path: Path) -> Task:
    nothing = nbformat().v4.new_notebook()
    try:
        nb = _usable(path)
        parameters.declared(nb, path.name)
    except KitError as error:
        return Task(path, nothing, {}, error)
    except OSError as error:
        problem = NotebookError(f"{path} cannot be read: {error.strerror}", remedy="see who may read it")
        return Task(path, nothing, {}, problem)
    except Exception as error:  # a file that is not a notebook may cause any error
        why = _why_not(error)
        remedy = "name a notebook (.ipynb), or open it in JupyterLab and save it"
        return Task(path, nothing, {}, NotebookError(f"{path} is not a notebook: {why}", remedy=remedy))
    return Task(path, nb, {})


def _why_not(error: Exception) -> str:
    if isinstance(error, nbformat().reader.NotJSONError | ValueError) and "JSON" in str(error):
        return "it is not JSON"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _usable(path: Path) -> Any:
    """Read a notebook and remove the outputs of an earlier run. Raises NotebookError for one of another kernel."""
    nb = nbformat().v4.upgrade(nbformat().read(path, as_version=4))
    kernel = nb.metadata.get("kernelspec", {})
    language = kernel.get("language") or nb.metadata.get("language_info", {}).get("name") or "python"
    if language.lower() not in ("python", "ipython"):
        found = f"{path.name} is written in {language}, not in Python"
        raise NotebookError(found, remedy="run it with plain papermill")
    if kernel.get("name", KERNEL) != KERNEL:
        from kit.notebooks.investigate.kernels import check_name

        check_name(kernel["name"])
    if kernel:
        kernel.setdefault("name", KERNEL)
        kernel.setdefault("display_name", kernel["name"])
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return nb


@contextmanager
def _without(module: str) -> Iterator[None]:
    # Optional imports of `module` in the block treat it as missing; later imports find it.
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
