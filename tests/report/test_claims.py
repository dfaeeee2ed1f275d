from __future__ import annotations

from kit.report.claims import all_claims, by_notebook, claims_drawing


def one(notebook: str, id: str, held: bool, trials: int) -> dict[str, object]:
    observed = 1 if held else 2
    return {"notebook": notebook, "id": id, "claim": "A sentence.", "expected": 1, "observed": observed, "held": held,
            "trials": trials, "seconds": 0.5}


FOUND = {"claims": [one("01", "a", True, 3), one("01", "b", False, 1), one("02", "a", True, 6)]}


def test_there_is_a_row_for_every_claim() -> None:
    """Claims of the same id in two notebooks are two rows, and what fell is read first."""
    table = all_claims(FOUND)
    assert table["outcome"].to_dict() == {"01: b": "✘ fell", "01: a": "✔ held", "02: a": "✔ held"}
    assert next(iter(table.index)) == "01: b"


def test_a_notebook_without_a_number_is_cited_by_its_name() -> None:
    """Of a numbered notebook its number is enough, as the documents cite it."""
    found = {"claims": [one("08a_smoking_gun", "a", True, 1), one("your_own_suite", "status", True, 1)]}
    assert list(all_claims(found).index) == ["08a: a", "your_own_suite: status"]


def test_a_notebooks_row_adds_up_its_claims() -> None:
    """How many claims, how many held, over how many trials."""
    table = by_notebook(FOUND)
    assert table.loc["01", ["claims", "held", "trials"]].tolist() == [2, 1, 4]
    assert table["trials"].idxmax() == "02"


def test_the_picture_says_how_many_held_or_which_fell() -> None:
    """Who reads the title alone knows whether the run is red, and by which claims."""
    red = claims_drawing(FOUND)
    assert red.title == "1 of 3 claims of 2 notebooks fell: 01: b."
    assert red.words == "01: 1 of 2 held\n02: 1 of 1 held"
    green = claims_drawing({"claims": [one("01", "a", True, 1)]})
    assert green.title == "All 1 claims of 1 notebook held."


def test_a_control_a_claim_and_one_that_fell_have_marks_of_their_own() -> None:
    """Shapes tell them apart, not colours; a control that fell is one that fell."""
    claims = [one("01", "control-clean", True, 1), one("01", "control-leaky", False, 1), one("01", "a", True, 1)]
    html = claims_drawing({"claims": claims}).html
    assert '<span class="kd-marks" aria-hidden="true">◆<span class="kd-fell">✘</span>◇</span>' in html
    assert "<span>01</span><span>2 of 3 held</span>" in html
