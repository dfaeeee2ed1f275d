"""What is public is listed, exists, and says what it promises."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

KIT = Path(__file__).parents[1] / "kit"
PACKAGES = [
    ".".join(path.parent.relative_to(KIT.parent).parts)
    for path in sorted(KIT.rglob("__init__.py"))
    if "specimens/project" not in path.as_posix()
]
MODULES = [path for path in sorted(KIT.rglob("*.py")) if "specimens/project" not in path.as_posix()]


def taken(source: str) -> dict[str, set[str]]:
    """Return the names that a module takes from each package of the kit."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module in PACKAGES:
            found.setdefault(node.module, set()).update(alias.name for alias in node.names)
    return found


@cache
def taken_by(path: Path) -> dict[str, set[str]]:
    """Return the same for a file, which is read once for all packages."""
    return taken(path.read_text())


def unlisted(package: ModuleType, names: set[str]) -> set[str]:
    """Return those of the names that the package does not list, and those that it lists and does not have."""
    listed = set(getattr(package, "__all__", ()))
    modules = {name for name in names if importlib.util.find_spec(f"{package.__name__}.{name}")}
    return (names - modules - listed) | {name for name in listed if not hasattr(package, name)}


def private_imports(source: str) -> list[str]:
    """Return the names with an underscore that a module takes from another module of the kit."""
    return [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kit"
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_lists_what_is_taken_from_it(package: str) -> None:
    """What another module takes from a package is on its list of public names, and every listed name exists."""
    names = {name for path in MODULES for name in taken_by(path).get(package, ())}
    assert unlisted(importlib.import_module(package), names) == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_say_what_they_promise(package: str) -> None:
    """Each public function and class of a package has a docstring."""
    module = importlib.import_module(package)
    public = {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    assert [
        name
        for name, value in public.items()
        if (inspect.isclass(value) or inspect.isroutine(value)) and not (value.__doc__ or "").strip()
    ] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(KIT)))
def test_private_names_stay_at_home(path: Path) -> None:
    """No module of the kit takes a name with an underscore from another."""
    assert private_imports(path.read_text()) == []


def test_a_name_left_out_of_the_list_is_seen() -> None:
    """A name that is taken without being listed is found, and a listed one that is missing too."""
    package = ModuleType("kit.pair")
    vars(package).update({"up": print, "__all__": ["missing"]})
    names = taken("from kit.pair import up, model")["kit.pair"]
    assert unlisted(package, names) == {"up", "missing"}


def test_a_private_name_taken_is_seen() -> None:
    """The rule on names with an underscore finds one."""
    source = "from kit.trials.runner import _secret, run\nfrom kit import __version__"
    assert private_imports(source) == ["kit.trials.runner._secret"]


def test_the_kit_shows_its_names_before_they_are_used() -> None:
    """What is imported only when it is asked for is completed all the same."""
    import kit

    assert set(kit.__all__) <= set(dir(kit))
