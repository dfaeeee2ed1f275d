"""The claims of one run as tables, from the values of `kit.trials.run_folder.claims`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kit.report.words import words

if TYPE_CHECKING:
    import pandas

_COLUMNS = ("notebook", "claim", "expected", "observed", "held", "trials", "seconds")


def all_claims(found: Mapping[str, Any]) -> pandas.DataFrame:
    """One row per claim: the sentence, the expected and observed values, the number of trials, and the seconds."""
    import pandas

    table = pandas.DataFrame(list(found["claims"]), columns=["id", *_COLUMNS]).set_index("id")
    for column in ("expected", "observed"):
        table[column] = table[column].map(words)
    return table.rename_axis(index=None, columns="id").round({"seconds": 1})


def by_notebook(found: Mapping[str, Any]) -> pandas.DataFrame:
    """One row per notebook: its claims, how many held, the trials, and the seconds."""
    claims = all_claims(found)
    grouped = claims.groupby("notebook", sort=False)
    sums = {name: (name, "sum") for name in ("held", "trials", "seconds")}
    table = grouped.agg(claims=("claim", "size"), **sums)
    return table.rename_axis(index=None, columns="notebook").round({"seconds": 1})
