"""Verdicts on many trials as lines of text: the trial, the verdict, and the reason unless it is HOLDS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from kit.errors import EvidenceError
from kit.evidence.model import Evidence
from kit.evidence.verdict import Verdict, isolation


def lines(evidence: Iterable[Evidence | EvidenceError]) -> Iterator[str]:
    """Judge each piece of evidence by the current rules, ordered by trial name, with a count at the end.

    Unreadable evidence is listed first and not judged.
    """
    found = list(evidence)
    unread = [one for one in found if isinstance(one, EvidenceError)]
    for error in unread:
        yield f"{'UNREAD':<10}  {error}"
    rulings = sorted(
        (str(one.trial), one.trial.repetition if one.trial else 0, isolation(one))
        for one in found if not isinstance(one, EvidenceError)
    )  # fmt: skip
    for trial, repetition, ruling in rulings:
        reason = "" if ruling.verdict is Verdict.HOLDS else f" ({ruling.reason})"
        yield f"{ruling.verdict:<10}  {trial}, repetition {repetition}{reason}"
    counts = Counter(ruling.verdict for _, _, ruling in rulings)
    said = [f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]]
    said += [f"{len(unread)} not read"] if unread else []
    yield f"{len(rulings)} trials judged again: {', '.join(said)}"
