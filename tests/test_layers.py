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
    "kit.typed", "kit.workfolder",
    "kit.probes",
    "kit.carried",
    "kit.pair", "kit.cleaning",
    "kit.edits", "kit.attempts", "kit.mechanisms", "kit.variants", "kit.project",
    "kit.stacks",
    "kit.trial",
    "kit.evidence", "kit.verdict", "kit.causes", "kit.probe_files", "kit.collect",
    "kit.findings",
    "kit.worker", "kit.warm",
    "kit.store",
    "kit.seat", "kit.sharing", "kit.idle_slots", "kit.runner",
    "kit.report",
    "kit.trace", "kit.diagnose",
    "kit.notebook",
    "kit.investigate",
    "kit.lab",
    "kit.guard", "kit.guard_config", "kit.guard_proof", "kit.guard_init", "kit.pytest_plugin",
    "kit.cli",
    "kit.__main__",
]  # fmt: skip
# Libraries that only an extra brings, by the names under which they are imported.
HEAVY = {
    "IPython", "asyncpg", "fastapi", "httpx", "ipykernel", "jinja2", "jupyter_client", "jupyterlab", "matplotlib",
    "nbclient", "nbconvert", "nbformat", "pandas", "papermill", "psutil", "psycopg", "pytest", "rich", "sqlalchemy",
}  # fmt: skip


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(KIT.rglob("*.py")):
        parts = path.relative_to(KIT.parent).with_suffix("").parts
        if parts[1] != "specimen":
            found.append((".".join(part for part in parts if part != "__init__"), path))
    return found


def layer(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if len(parts) > 1 else module


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
            found |= {f"{base}.{alias.name}" for alias in node.names} if base == "kit" else {base}
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
        if imported.startswith("kit.specimen"):
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
        ("kit.pair.embedded", "from kit.verdict import Verdict"),
        ("kit.verdict", "def later():\n    import kit.investigate.engine"),
        ("kit.evidence", "from kit import runner"),
        ("kit.pair.embedded", "from ..trial import plan"),
        ("kit.runner", "from kit.specimen.app import main"),
    ],
)
def test_an_import_against_the_flow_is_seen(module: str, source: str) -> None:
    """The rule sees an import against the flow however it is written."""
    assert wrong_imports(source, module) != []


@pytest.mark.parametrize(
    ("name", "path"),
    [entry for entry in modules() if layer(entry[0]) in ("kit.probes", "kit.carried")],
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


@pytest.mark.parametrize("statement", ["import kit", "import kit.probes", "import kit.cli", "import kit.lab"])
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
