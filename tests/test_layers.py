"""Imports point one way, along the flow from the pair to the command."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

KIT = Path(__file__).parents[1] / "kit"

# Each may import those before it, and itself. What stands in one row may import along the row.
LAYERS = [
    "kit",
    "kit.errors",
    "kit.typed", "kit.workfolder", "kit.processes",
    "kit.probes",
    "kit.pair",
    "kit.specimens.edits", "kit.specimens.attempts", "kit.specimens.mechanisms", "kit.specimens.variants",
    "kit.specimens.contradictions", "kit.specimens.build", "kit.specimens.trial", "kit.specimens",
    "kit.evidence.written", "kit.evidence.model", "kit.evidence.verdict", "kit.evidence.causes",
    "kit.evidence.probe_files", "kit.evidence.collect", "kit.evidence",
    "kit.analysis", "kit.detectors", "kit.answer",
    "kit.trials.stacks", "kit.trials.cleaning", "kit.trials.worker", "kit.trials.fork_server", "kit.trials.run_folder",
    "kit.trials.workspace", "kit.trials.cache", "kit.trials.slot_pool", "kit.trials.runner", "kit.trials",
    "kit.report",
    "kit.tracing", "kit.diagnosing",
    "kit.notebooks.checks", "kit.notebooks.frontend", "kit.notebooks.predictions", "kit.notebooks.seat",
    "kit.notebooks.cells",
    "kit.notebooks.board", "kit.notebooks.originals", "kit.notebooks.copies", "kit.notebooks.warm",
    "kit.notebooks.investigate",
    "kit.notebooks.matrix", "kit.notebooks.editions", "kit.notebooks.lab", "kit.notebooks.classroom", "kit.notebooks",
    "kit.guard.run", "kit.guard.config", "kit.guard.proof", "kit.guard.init", "kit.guard.plugin", "kit.guard",
    "kit.cli",
    "kit.__main__",
]  # fmt: skip
# Libraries that only an extra brings, by the names under which they are imported.
HEAVY = {
    "IPython", "asyncpg", "dask", "distributed", "fastapi", "httpx", "iniconfig", "ipykernel", "ipywidgets", "jinja2",
    "jupyter_client", "jupyterlab", "nbclient", "nbconvert", "nbformat", "pandas", "papermill", "psutil",
    "psycopg", "pytest", "rich", "sqlalchemy", "tomlkit",
}  # fmt: skip


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(KIT.rglob("*.py")):
        parts = path.relative_to(KIT.parent).with_suffix("").parts
        if parts[1:3] != ("specimens", "project"):
            found.append((".".join(part for part in parts if part != "__init__"), path))
    return found


def layer(module: str) -> str:
    """Return the layer that a module belongs to: the longest that holds it; itself where none does."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in (*range(len(parts), 1, -1), *([1] if len(parts) == 1 else [])))
    return next((name for name in names if name in LAYERS), module)


def imports(source: str, module: str, is_package: bool = False) -> set[str]:
    """Return the modules that `source` imports, those inside functions and for types too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                here = parts[: len(parts) - node.level + is_package]
                base = ".".join([*here, base] if base else here)
            of_a_package = any(entry.startswith(f"{base}.") for entry in LAYERS)
            found |= {f"{base}.{alias.name}" for alias in node.names} if of_a_package else {base}
    return found


def wrong_imports(source: str, module: str, is_package: bool = False) -> list[str]:
    """Return what `source` imports from further down the list than it stands itself."""
    own = layer(module)
    if own == "kit":
        return []  # the package itself names what is public, from wherever it is
    wrong = []
    for imported in imports(source, module, is_package):
        target = layer(imported)
        if target.split(".")[0] == "kit" and target in LAYERS and LAYERS.index(target) > LAYERS.index(own):
            wrong.append(imported)
        if imported.startswith("kit.specimens.project"):
            wrong.append(imported)
    return wrong


def test_every_module_has_a_place() -> None:
    """Every module of the kit belongs to a layer, so that none escapes the rule."""
    assert [name for name, _ in modules() if layer(name) not in LAYERS] == []


@pytest.mark.parametrize(("name", "path"), modules(), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_point_one_way(name: str, path: Path) -> None:
    """A module imports only what stands before it in the flow, at its top and inside functions alike."""
    assert wrong_imports(path.read_text(), name, path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("kit.pair.embedded", "from kit.evidence.verdict import Verdict"),
        ("kit.evidence.verdict", "def later():\n    import kit.notebooks.investigate.engine"),
        ("kit.evidence.model", "from kit.trials import runner"),
        ("kit.pair.embedded", "from ..trials import runner"),
        ("kit.trials.runner", "from kit.specimens.project.app import main"),
    ],
)
def test_an_import_against_the_flow_is_seen(module: str, source: str) -> None:
    """The rule sees an import against the flow however it is written."""
    assert wrong_imports(source, module) != []


@pytest.mark.parametrize(
    ("name", "path"),
    [entry for entry in modules() if layer(entry[0]) in ("kit.probes", "kit.probes.inject")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_probes_need_the_standard_library_only(name: str, path: Path) -> None:
    """What is carried into a reader's interpreter imports nothing but the standard library and the probes."""
    tops = {imported.split(".")[0] for imported in outright_imports(path)}
    found = imports(path.read_text(), name, path.name == "__init__.py")
    assert tops <= sys.stdlib_module_names | {"kit", ""}
    assert {module for module in found if module.startswith("kit") and not module.startswith("kit.probes")} <= {"kit"}


def outright_imports(path: Path) -> set[str]:
    """Return what importing the file imports: no import of a function, which finds a library in use, counts."""
    found = set()
    pending: list[ast.AST] = [ast.parse(path.read_text())]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending += ast.iter_child_nodes(node)
    return found


@pytest.mark.parametrize("statement", ["import kit", "import kit.probes", "import kit.cli", "import kit.notebooks.lab"])
def test_light_imports_bring_in_no_heavy_library(statement: str) -> None:
    """The package, its probes and the command line load without any library that an extra brings."""
    assert loaded_by(statement) & HEAVY == set()


def test_a_heavy_import_is_seen() -> None:
    """The list of loaded libraries does name a heavy one that was imported."""
    assert "psutil" in loaded_by("import psutil") & HEAVY


def loaded_by(statement: str) -> set[str]:
    script = f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(answer.stdout))
