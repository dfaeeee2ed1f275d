"""The records of a matrix: matrix.json for programs, junit.xml for CI, index.html. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kit import __version__
from kit.notebooks.investigate import pages
from kit.notebooks.investigate.records import junit_of
from kit.notebooks.matrix import shown
from kit.notebooks.matrix.results import Column, Matrix, Neighbours, Row
from kit.trials.run_folder import FORMAT

TEMPLATES = Path(__file__).parent / "templates"


def record(matrix: Matrix, parameters: Mapping[str, Any]) -> str:
    """Return the text of matrix.json. `parameters` are those that were given for the run."""
    whole = {
        "format": FORMAT,
        "kit": __version__,
        "parameters": dict(parameters),
        "stacks": [_stack(column) for column in matrix.columns],
        "neighbours": [_neighbours(one) for one in matrix.neighbours],
        "claims": [_claim(row) for row in matrix.rows],
        "exit_code": matrix.exit_code,
        "reason": matrix.reason,
        "remedy": matrix.remedy,
        "seconds": round(matrix.seconds, 3),
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def junit(matrix: Matrix) -> str:
    """Return the text of junit.xml: a suite for each notebook under each stack; one with an error where none ran."""
    suites = [(f"{column.stack}: {run.name}", run) for column in matrix.columns for run in column.run.notebooks]
    return junit_of("kit matrix", suites, [(one.stack, one.run.reason) for one in matrix.columns if not one.ran])


def page(matrix: Matrix) -> str:
    """Return the text of index.html: the claims that differ, the packages behind them, the stacks, all claims."""
    ran = [column for column in matrix.columns if column.ran]
    names = sorted({name for column in ran for name in column.packages})
    return str(pages.template("matrix.html", TEMPLATES).render(
        matrix=matrix,
        ran=[column.stack for column in ran],
        agreement=shown.agreement(matrix),
        changes=shown.changes(matrix),
        behind=list(map(shown.packages, shown.behind(matrix))),
        packages=[(name, [column.packages.get(name, "") for column in ran]) for name in names],
        outcomes=("held", "a claim fell", "could not run"),
        kit=__version__,
        at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    ))


def _stack(column: Column) -> dict[str, object]:
    run = column.run
    return {
        "stack": column.stack,
        "ran": column.ran,
        "packages": dict(column.packages),
        "folder": run.folder.name if run.folder else None,
        "second_run": column.again.folder.name if column.again and column.again.folder else None,
        "held": run.held,
        "claims": len(run.claims),
        "exit_code": run.exit_code,
        "reason": run.reason,
        "remedy": run.remedy,
        "seconds": round(run.seconds, 3),
    }


def _neighbours(one: Neighbours) -> dict[str, object]:
    packages = [{"name": it.name, "before": it.before, "after": it.after} for it in one.packages]
    return {"before": one.before, "after": one.after, "packages": packages}


def _claim(row: Row) -> dict[str, object]:
    return {
        "notebook": row.notebook,
        "id": row.id,
        "claim": row.sentence,
        "stacks": {
            stack: {"outcome": cell.outcome.lower(), "expected": cell.expected, "observed": cell.observed}
            for stack, cell in row.cells.items()
        },
        "changes": [{"before": before, "after": after} for before, after in row.changes],
        "repeated": row.repeated,
    }
