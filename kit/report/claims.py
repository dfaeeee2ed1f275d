"""The claims of one run as tables, from the values of `kit.trials.run_folder.claims`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kit.report.words import words

if TYPE_CHECKING:
    import pandas

_COLUMNS = ("claim", "expected", "observed", "outcome", "trials")


def all_claims(found: Mapping[str, Any]) -> pandas.DataFrame:
    """One row per claim, those that fell first: the sentence, the expected and observed values, and the trials."""
    import pandas

    rows = [
        [
            f"{_number(one['notebook'])}: {one['id']}", one["claim"], words(one["expected"]), words(one["observed"]),
            "✔ held" if one["held"] else "✘ fell", one["trials"],
        ]
        for one in sorted(found["claims"], key=lambda one: bool(one["held"]))
    ]
    return pandas.DataFrame(rows, columns=["id", *_COLUMNS]).set_index("id").rename_axis(index=None, columns="id")


def by_notebook(found: Mapping[str, Any]) -> pandas.DataFrame:
    """One row per notebook: its claims, how many held, the trials, and the seconds."""
    import pandas

    claims = pandas.DataFrame(list(found["claims"]), columns=["notebook", "id", "held", "trials", "seconds"])
    sums = {name: (name, "sum") for name in ("held", "trials", "seconds")}
    table = claims.groupby("notebook", sort=False).agg(claims=("id", "size"), **sums)
    return table.rename_axis(index=None, columns="notebook").round({"seconds": 1})


def _number(notebook: str) -> str:
    """What a notebook's name begins with, by which its claims are cited; its whole name without a number."""
    number = notebook.partition("_")[0]
    return number if number[:1].isdigit() else notebook
