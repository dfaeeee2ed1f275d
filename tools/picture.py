"""Draws docs/the-failure.png, the README's picture, from two live trials. Run by `make picture`."""

from __future__ import annotations

from pathlib import Path

from kit.pair import open_pair
from kit.report.timeline import timeline
from kit.specimens.trial import INDIVIDUAL_TEST, Trial, as_reported
from kit.trials.runner import run_all

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "the-failure.png"


def main() -> None:
    """Run the report's two runs, draw them one above the other, and print the picture's path."""
    (alone,), (suite,) = as_reported(Trial())
    with open_pair() as pair:
        found = {evidence.trial: evidence for evidence in run_all((alone, suite), pair)}
    picture = timeline({"One test, by hand: passes": found[alone], "The suite, the CI way: fails": found[suite]},
                       INDIVIDUAL_TEST)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_bytes(picture.png())
    print(PICTURE)
    print(picture.words)


if __name__ == "__main__":
    main()
