"""Verdicts on many trials as lines of text: what was run, how it is judged, and the reason where it is not HOLDS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from kit.evidence import Evidence
from kit.verdict import Verdict, isolation


def lines(evidence: Iterable[Evidence]) -> Iterator[str]:
    """Judge each piece of evidence by today's rules, trials in the order of their names, with a count at the end."""
    rulings = sorted((str(one.trial), one.trial.repetition if one.trial else 0, isolation(one)) for one in evidence)
    for trial, repetition, ruling in rulings:
        reason = "" if ruling.verdict is Verdict.HOLDS else f" ({ruling.reason})"
        yield f"{ruling.verdict:<10}  {trial}, repetition {repetition}{reason}"
    counts = Counter(ruling.verdict for _, _, ruling in rulings)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    yield f"{len(rulings)} trials judged again: {said}"
