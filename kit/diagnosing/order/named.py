"""The tests that a reader names: by their ids, or by a file, class or function that holds several. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kit.diagnosing.order.reruns import outcomes_of
from kit.evidence.model import Evidence

AT_MOST = 3  # tests of one name


def named(evidence: Evidence, names: Sequence[str]) -> tuple[str, ...]:
    """The ids of the named tests, each once: of a name for several, the first that failed, or else the first.

    A name that no test has stays as it is.
    """
    ended = {test: outcome for test, (outcome, _) in outcomes_of(evidence).items()}
    return tuple(dict.fromkeys(test for name in names for test in _of_name(ended, name.removeprefix("./"))))


def _of_name(ended: dict[str, str], name: str) -> Iterator[str]:
    within = [test for test in ended if test.startswith((f"{name}::", f"{name}[", f"{name.rstrip('/')}/"))]
    if name in ended or not within:
        yield name
        return
    failed = [test for test in within if ended[test] == "failed"]
    yield from (failed or within)[: AT_MOST if failed else 1]
