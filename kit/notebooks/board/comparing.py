"""Two runs side by side: the steps of both, the steps of only one, and the first difference. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kit.evidence.model import Evidence
from kit.report.steps import Step, described, steps_of_both
from kit.specimens.trial import INDIVIDUAL_TEST

_SAME, _SAME_LANE = 1000, 1  # identical steps outweigh any number of pairs that only share a lane


@dataclass(frozen=True, slots=True)
class Row:
    """A step of this run, and the matching step of the other; one of the two may be None."""

    this: Step | None
    other: Step | None

    @property
    def same(self) -> bool:
        """Whether both runs took this step."""
        return self.this is not None and self.other is not None and _same(self.this, self.other)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The steps of one test in two runs, by time."""

    test: str
    rows: tuple[Row, ...]

    @property
    def parted(self) -> int | None:
        """The index of the first row that differs; None if there is none."""
        return next((number for number, row in enumerate(self.rows) if not row.same), None)


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a test, with the servers that answered it, and by which route, in each run; empty if none did."""

    test: str
    request: str
    this: tuple[str, ...]
    other: tuple[str, ...]


def compare(this: Evidence, other: Evidence) -> Comparison:
    """Compare the steps of the report's test, or of another one if only that one distinguishes the runs."""
    test = _differing_test(this, other)
    return Comparison(test, tuple(_aligned(*steps_of_both(this, other, test))))


def requests(this: Evidence, other: Evidence) -> tuple[Request, ...]:
    """All requests that used a database in at least one of the runs."""
    mine, its = _answers(this), _answers(other)
    keys = dict.fromkeys((*mine, *its))
    return tuple(Request(key[0], key[2], mine.get(key, ()), its.get(key, ())) for key in keys)


def step_in_words(step: Step) -> str:
    """A step with its location; an engine with its name and the variable of its URL, a variable with its server."""
    text = described(step)
    return f"{text} ({step.where.file}:{step.where.line})" if step.where else text


def _differing_test(this: Evidence, other: Evidence) -> str:
    """The test whose requests differ: the report's if possible, then one that reached production."""
    tests = {outcome.test for outcome in other.outcomes}
    both = dict.fromkeys(outcome.test for outcome in this.outcomes if outcome.test in tests)
    differ = [test for test in both if _ways(this, test) != _ways(other, test)]
    wrong = [test for test in differ if any(side == "production" for side, _ in _ways(this, test))]
    return INDIVIDUAL_TEST if INDIVIDUAL_TEST in differ else (wrong or differ or [INDIVIDUAL_TEST])[0]


def _ways(evidence: Evidence, test: str) -> list[tuple[str | None, str]]:
    return [(one.side, one.how) for one in evidence.in_requests() if one.use.test == test]


def _answers(evidence: Evidence) -> dict[tuple[str, int, str], tuple[str, ...]]:
    """{(test, its number in it, method and path): servers and routes that answered}; nested ones count as the outer."""
    outer = {request.number: request.within for request in evidence.requests}
    counted: dict[str, int] = {}
    keys: dict[str, tuple[str, int, str]] = {}
    for request in evidence.requests:
        if request.within is None:
            test = request.test or "outside the tests"
            counted[test] = counted.get(test, 0) + 1
            text = f"{request.method} {request.path}" if request.type == "http" else request.type
            keys[request.number] = test, counted[test], text
    found: dict[tuple[str, int, str], dict[str, None]] = {}
    for sighting in evidence.in_requests():
        number = sighting.use.request or ""
        while outer.get(number) is not None:
            number = outer[number] or ""
        if number in keys:
            found.setdefault(keys[number], {})[f"{sighting.side or 'unknown'}, {sighting.how}"] = None
    return {key: tuple(answers) for key, answers in found.items()}


def _same(one: Step, other: Step) -> bool:
    if (one.lane, _place(one)) != (other.lane, _place(other)):
        return False
    if one.lane == "engine":  # the server of an engine is known only if the test used it
        return one.source == other.source and (one.side == other.side or None in (one.side, other.side))
    if one.lane == "variable":  # and that of a variable's URL only if something connected to its address
        return one.text == other.text and (one.side == other.side or None in (one.side, other.side))
    return one.text == other.text


def _place(step: Step) -> tuple[str, str] | None:
    # Without the line, because changes of the project move later lines.
    return (step.where.file, step.where.function) if step.where else None


def _aligned(this: Sequence[Step], other: Sequence[Step]) -> Iterator[Row]:
    """Align the steps of two runs in order, with as many identical pairs, and then pairs of one lane, as possible."""
    best = [[0] * (len(other) + 1) for _ in range(len(this) + 1)]
    for at in reversed(range(len(this))):
        for its in reversed(range(len(other))):
            paired = best[at + 1][its + 1] + _worth(this[at], other[its])
            best[at][its] = max(paired, best[at + 1][its], best[at][its + 1])
    at = its = 0
    while at < len(this) and its < len(other):
        worth = _worth(this[at], other[its])
        if worth and best[at][its] == best[at + 1][its + 1] + worth:
            yield Row(this[at], other[its])
            at, its = at + 1, its + 1
        elif best[at][its] == best[at + 1][its]:
            yield Row(this[at], None)
            at += 1
        else:
            yield Row(None, other[its])
            its += 1
    yield from (Row(step, None) for step in this[at:])
    yield from (Row(None, step) for step in other[its:])


def _worth(one: Step, other: Step) -> int:
    if _same(one, other):
        return _SAME
    return _SAME_LANE if _kind(one) == _kind(other) else 0


def _kind(step: Step) -> str:
    """The lane of a step; answers of all servers are one lane."""
    return "answer" if step.lane in ("test", "production", "unknown") else step.lane
