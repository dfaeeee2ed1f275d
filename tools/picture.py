"""Draws the README's picture, wide and for a phone, from two live trials. Run by `make picture`."""

from __future__ import annotations

from pathlib import Path

from kit.pair import open_pair
from kit.report.timeline import panels, timeline
from kit.report.timeline_svg import svg
from kit.specimens.trial import INDIVIDUAL_TEST, Trial, as_reported
from kit.trials.runner import run_all

DOCUMENTS = Path(__file__).resolve().parents[1] / "docs"
WIDTHS_PX = {"the-failure.svg": 960, "the-failure-narrow.svg": 440}


def main() -> None:
    """Run the report's two runs, draw them one above the other, and print the paths and the words of the picture."""
    (alone,), (suite,) = as_reported(Trial())
    with open_pair() as pair:
        found = {evidence.trial: evidence for evidence in run_all((alone, suite), pair)}
    runs = {"One test, by hand, passes": found[alone], "The suite, the CI way, fails": found[suite]}
    drawn = timeline(runs, INDIVIDUAL_TEST)
    for name, width in WIDTHS_PX.items():
        path = DOCUMENTS / name
        path.write_text(svg(drawn.title, panels(runs, INDIVIDUAL_TEST), width) + "\n", "utf-8")
        print(path)
    print(drawn)


if __name__ == "__main__":
    main()
