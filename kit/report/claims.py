"""The claims of one run as tables and a drawing, from the values of `kit.trials.run_folder.claims`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.report.drawing import Drawing, macro
from kit.report.words import words

if TYPE_CHECKING:
    import pandas

_COLUMNS = ("claim", "expected", "observed", "outcome", "trials")
_CONTROLS = ("control-clean", "control-leaky")


@dataclass(frozen=True, slots=True)
class Strip:
    """The claims of a notebook as marks, in their order, and how many of them held."""

    notebook: str
    marks: tuple[str, ...]
    held: int


def claims_drawing(found: Mapping[str, Any]) -> Drawing:
    """Draw a mark for each claim of each notebook: a control that held, another that held, one that fell."""
    of_notebook: dict[str, list[Mapping[str, Any]]] = {}
    for one in found["claims"]:
        of_notebook.setdefault(one["notebook"], []).append(one)
    strips = [Strip(name, tuple(map(_mark, claims)), sum(bool(one["held"]) for one in claims))
              for name, claims in of_notebook.items()]
    title = _finding(found["claims"], strips)
    words = "\n".join(f"{one.notebook}: {one.held} of {len(one.marks)} held" for one in strips)
    return Drawing(title, words, str(macro("claims.html", "figure")(title, strips)).strip())


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


def _finding(claims: Sequence[Mapping[str, Any]], strips: Sequence[Strip]) -> str:
    fell = [f"{_number(one['notebook'])}: {one['id']}" for one in claims if not one["held"]]
    notebooks = f"{len(strips)} notebook{'' if len(strips) == 1 else 's'}"
    if fell:
        return f"{len(fell)} of {len(claims)} claims of {notebooks} fell: {', '.join(fell)}."
    return f"All {len(claims)} claims of {notebooks} held."


def _mark(one: Mapping[str, Any]) -> str:
    if not one["held"]:
        return "✘"
    return "◆" if one["id"] in _CONTROLS else "◇"


def _number(notebook: str) -> str:
    """What a notebook's name begins with, by which its claims are cited; its whole name without a number."""
    number = notebook.partition("_")[0]
    return number if number[:1].isdigit() else notebook
