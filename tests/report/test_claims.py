from __future__ import annotations

from kit.report.claims import all_claims, by_notebook


def one(notebook: str, id: str, held: bool, trials: int) -> dict[str, object]:
    observed = 1 if held else 2
    return {"notebook": notebook, "id": id, "claim": "A sentence.", "expected": 1, "observed": observed, "held": held,
            "trials": trials, "seconds": 0.5}


FOUND = {"claims": [one("01", "a", True, 3), one("01", "b", False, 1), one("02", "a", True, 6)]}


def test_there_is_a_row_for_every_claim() -> None:
    """Claims of the same id in two notebooks are two rows."""
    assert all_claims(FOUND)[["notebook", "held"]].values.tolist() == [["01", True], ["01", False], ["02", True]]


def test_a_notebooks_row_adds_up_its_claims() -> None:
    """How many claims, how many held, over how many trials."""
    table = by_notebook(FOUND)
    assert table.loc["01", ["claims", "held", "trials"]].tolist() == [2, 1, 4]
    assert table["trials"].idxmax() == "02"
