"""Was the run guarded, and which connections were refused? Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kit.analysis.model import counted
from kit.evidence.model import Evidence, Frame, Refusal

BY_STOP, BY_PYTEST, BY_NOBODY = "--stop", "--db-guard", "none"  # Evidence.guard
_HOW_TO = "--stop, with --allow DB, refuses each connection to a database that is not on the list"


@dataclass(frozen=True, slots=True)
class Stop:
    """A connection, a client or a statement that was refused before the application's first statement.

    `entry` would have to be on the allow-list, "" if no entry can allow it. `connection` is True for a connection of
    the program, whose route is listed with the databases. `count` is how often it was refused at the same line.
    """

    database: str
    entry: str
    test: str | None
    phase: str
    chain: tuple[Frame, ...]
    why: str
    done: str
    connection: bool
    count: int = 1

    @property
    def opener(self) -> Frame | None:
        """The innermost application frame that led to it; None for an empty chain."""
        return self.chain[0] if self.chain else None

    def __str__(self) -> str:
        at = f" at {self.opener}" if self.opener is not None else ""
        where = f"in {self.test}" if self.test else f"outside the tests ({self.phase})"
        times = f", {self.count} times" if self.count > 1 else ""
        why = f", {self.why}" if self.why else ""
        return f"{self.database}{why} (requested{at} {where}{times}). {self.done}".strip()


def stops(evidence: Evidence) -> tuple[Stop, ...]:
    """Everything that was refused, ordered by time; equal refusals in one test at one line are counted together."""
    pool: dict[tuple[object, ...], list[Refusal]] = {}
    for refusal in evidence.refusals:
        chain = evidence.chain(refusal)
        pool.setdefault((refusal.database, refusal.test, refusal.phase, chain[:1]), []).append(refusal)
    return tuple(_stop(evidence, alike) for alike in pool.values())


def _stop(evidence: Evidence, alike: Sequence[Refusal]) -> Stop:
    first = alike[0]
    return Stop(
        first.database, first.entry, first.test, first.phase, evidence.chain(first), first.because, first.done,
        first.connection is not None, len(alike),
    )  # fmt: skip


def describe_guard(evidence: Evidence) -> str:
    """Whether the run was guarded, and how that affects its results; "" when unknown."""
    return " ".join(_describe_mode(evidence))


def _describe_mode(evidence: Evidence) -> Iterator[str]:
    if evidence.guard == BY_NOBODY:
        yield f"This run was not guarded: it connected wherever it was configured to ({_HOW_TO})."
    elif evidence.guard == BY_PYTEST:
        yield (
            "This run was guarded by pytest's --db-guard alone, which the command or the configuration turns on: "
            f"what runs outside pytest was not stopped ({_HOW_TO})."
        )
    elif evidence.guard == BY_STOP:
        yield "This run was guarded (--stop): what is not on the allow-list was refused before its first statement."
        yield from _refused(evidence)


def _refused(evidence: Evidence) -> Iterator[str]:
    if not evidence.refusals:
        yield "Nothing was refused."
        return
    tests = {refusal.test for refusal in evidence.refusals if refusal.test is not None}
    where = f"in {counted(len(tests), 'test')}" if tests else "outside the tests"
    failed = {one.test for one in evidence.outcomes if one.outcome == "failed"} & tests
    yield f"{counted(len(evidence.refusals), 'connection')} refused, {where}."
    changed = f" {counted(len(failed), 'test')} with a refused connection failed." if failed else ""
    yield (
        f"The outcomes of tests may differ from those of a run without --stop.{changed} Where a finding says that a "
        "database off the allow-list was reached, the connection was requested and refused."
    )
