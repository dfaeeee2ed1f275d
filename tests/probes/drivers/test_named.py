"""No place outside the adapters knows a driver by its name: what must know them reads the registry.

Where one is named all the same, the list below says why. It may lose rows, and gains none: a driver that is added is an
adapter and a row of ADAPTERS.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import kit
from kit.probes.drivers import ADAPTERS
from kit.probes.drivers.unprobed import UnprobedDrivers

KIT = Path(kit.__file__).parent
OF_THE_ADAPTERS = KIT / "probes" / "drivers"
NOT_OF_THE_KIT = KIT / "specimens" / "project"  # the studied project, which reads like a reader's own
DRIVERS = sorted({package for one in ADAPTERS if one is not UnprobedDrivers for package in one.packages})
NAMED = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, DRIVERS))})(?!\w)")

OWN_PAIR = "the kit reaches its own servers by it"
LOOKS = "the kit looks by it at a database that the tests may reach, and puts back what they left there"
STUDIED = "the studied project is written for it"
PROGRAM = "the name of a command-line program, or a table by such names"
DATABASE = "the name of a kind of database, or of a URL's scheme, not of a driver"
EXAMPLE = "a program that a reader is shown, or that is run to show that the guard stops it"

ALLOWED = {
    "cli.py": ({"asyncpg"}, STUDIED),
    "detectors/engines/connected_elsewhere.py": ({"psycopg"}, EXAMPLE),
    "detectors/engines/opened_by_the_tests.py": ({"sqlite3"}, EXAMPLE),
    "detectors/files/service_file.py": ({"psycopg"}, EXAMPLE),
    "detectors/routes/database_reached.py": ({"sqlite3"}, EXAMPLE),
    "diagnosing/outside/clients.py": ({"asyncpg", "psycopg", "psycopg2"}, LOOKS),
    "diagnosing/outside/sqlite.py": ({"sqlite3"}, LOOKS),
    "diagnosing/suite.py": ({"asyncpg"}, STUDIED),
    "evidence/verdict.py": ({"sqlite3"}, "a file is neither side of the pair, and does not have to be"),
    "guard/init.py": ({"sqlite3"}, EXAMPLE),
    "notebooks/cells.py": ({"asyncpg"}, STUDIED),
    "notebooks/investigate/sessions.py": ({"psycopg"}, OWN_PAIR),
    "notebooks/warm/parents.py": ({"psycopg"}, OWN_PAIR),
    "pair/connect.py": ({"psycopg"}, OWN_PAIR),
    "pair/embedded.py": ({"psycopg"}, OWN_PAIR),
    "pair/populate.py": ({"psycopg"}, OWN_PAIR),
    "pair/rows.py": ({"psycopg"}, OWN_PAIR),
    "pair/slots.py": ({"psycopg"}, OWN_PAIR),
    "probes/clients.py": ({"duckdb", "sqlite3"}, PROGRAM),
    "probes/dialects.py": ({"duckdb"}, DATABASE),
    "probes/entries.py": ({"duckdb"}, DATABASE),
    "probes/places.py": ({"asyncpg", "duckdb", "psycopg", "sqlite3"}, DATABASE),
    "trials/cleaning.py": ({"psycopg"}, OWN_PAIR),
    "trials/stacks/__init__.py": ({"asyncpg"}, STUDIED),
    "trials/worker/libraries.py": ({"asyncpg"}, STUDIED),
    "trials/workspace.py": ({"asyncpg"}, STUDIED),
}


def named_in(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file whose code, not its docstrings, names a driver: as an import, an attribute or in a text."""
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value) for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    for node in ast.walk(tree):
        texts: list[str] = []
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            texts = [node.value]
        elif isinstance(node, ast.Import):
            texts = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            texts = [node.module or ""] if not node.level else []
        for text in texts:
            for found in NAMED.findall(text):
                yield getattr(node, "lineno", 0), found


def places() -> dict[str, set[str]]:
    """The files that name drivers, with those that they name."""
    found: dict[str, set[str]] = {}
    for path in sorted(KIT.rglob("*.py")):
        if OF_THE_ADAPTERS in path.parents or NOT_OF_THE_KIT in path.parents:
            continue
        names = {name for _, name in named_in(path)}
        if names:
            found[path.relative_to(KIT).as_posix()] = names
    return found


def test_drivers_are_named_nowhere_else() -> None:
    """What names a driver outside the adapters is listed with a reason; who takes a name out takes the row out, too."""
    assert places() == {file: names for file, (names, _) in ALLOWED.items()}


def test_a_name_is_seen_however_it_is_used(tmp_path: Path) -> None:
    """An import, a module's name and a longer text that has it are seen; a docstring and a comment are not."""
    file = tmp_path / "it.py"
    file.write_text(
        '"""psycopg2 is said here."""\nimport asyncpg.pool\nfrom sqlite3 import connect  # aiosqlite\n'
        'WATCHED = ("pg8000.core", "CoreConnection")\nSCHEME = r"(asyncpg|psycopg):"\n'
    )
    assert sorted(named_in(file)) == [
        (2, "asyncpg"), (3, "sqlite3"), (4, "pg8000"), (5, "asyncpg"), (5, "psycopg"),
    ]  # fmt: skip
