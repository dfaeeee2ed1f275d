"""The input of detection: the evidence, what was reached, and which of it should not have been."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from kit.analysis.databases import Allowed, Database
from kit.analysis.inferred_allowlist import contradicting_reaches
from kit.analysis.model import Fact, Finding, counted, fact
from kit.analysis.model import first as first_frame
from kit.analysis.reach import MODULE, Reach, done_by_tests, is_test_file
from kit.analysis.url_source import leads_to, parts_of, url_source_of, writer
from kit.evidence.model import Engine, Entry, Evidence, Frame, Variable

About = TypeVar("About")


@dataclass(frozen=True, slots=True)
class Leak:
    """One route to a database that should not have been reached, in one or more tests; `first` is its first use."""

    first: Reach
    reaches: tuple[Reach, ...]

    @property
    def database(self) -> Database:
        """The database that was reached."""
        return self.first.database

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests with a connection by this route, in order."""
        return tuple(dict.fromkeys(reach.test for reach in self.reaches if reach.test is not None))

    @property
    def engine(self) -> Engine | None:
        """The engine of the first use."""
        return self.first.engine

    @property
    def opener(self) -> Frame | None:
        """The application frame that opened the connection."""
        return self.first.opener


@dataclass(frozen=True, slots=True)
class Case:
    """One run, as the input of detection. `wrong` are the identities of databases that should not have been reached."""

    evidence: Evidence
    reached: tuple[Reach, ...]
    allowed: Allowed
    leaks: tuple[Leak, ...]
    programs: frozenset[str] = frozenset()
    wrong: frozenset[str] = frozenset()

    def of_tests(self, file: str) -> bool:
        """Whether a file belongs to the tests; if no test runner ran, the command's own program counts as a test."""
        return is_test_file(file) or file in self.programs

    def done_by_tests(self, entry: Entry) -> bool:
        """Whether test code did something; what a module does while tests import it counts as the module's."""
        return done_by_tests(self.evidence, entry, self.of_tests)

    def stack_text(self, chain: tuple[Frame, ...]) -> str:
        """A call stack as it is written in messages, outermost frame first."""
        return " -> ".join(f"{frame.file}:{frame.line} {named(frame)}" for frame in reversed(chain))

    def request_of(self, leak: Leak) -> str:
        """The request of a leak's first use, as method and path; "" without a request."""
        number = leak.first.entry.request
        for request in self.evidence.requests:
            if request.number == number:
                return f"{request.method} {request.path}".strip() or request.type
        return ""


def case_of(evidence: Evidence, reached: tuple[Reach, ...], allowed: Allowed) -> Case:
    """Select the reaches off the allow-list or, without a list, those that contradict the tests' own configuration."""
    if allowed.patterns is not None:
        wrong = [reach for reach in reached if allowed.judge(reach.database) is False]
    else:
        wrong = list(contradicting_reaches(evidence, reached))
    identities = frozenset(reach.database.id for reach in wrong)
    return Case(evidence, reached, allowed, _leaks(evidence, wrong), _programs(evidence), identities)


def _programs(evidence: Evidence) -> frozenset[str]:
    """The files with tests or, when no runner reported a test, the files that were run as programs."""
    tests = {outcome.test for outcome in evidence.outcomes} | {use.test for use in evidence.uses if use.test}
    if tests:
        return frozenset(test.partition("::")[0] for test in tests)
    outermost = [stack[-1] for stack in evidence.stacks if stack]
    return frozenset(frame.file for frame in outermost if frame.function == MODULE and frame.called_by is None)


def named(frame: Frame) -> str:
    """The function of a frame as its source names it, "(module)" for top-level code."""
    return "(module)" if frame.function == MODULE else f"{frame.function.rpartition('.')[2]}()"


def describe_tests(tests: Iterable[str]) -> str:
    """The number of tests, or the name of a single one."""
    tests = tuple(tests)
    return tests[0] if len(tests) == 1 else counted(len(tests), "test") if tests else "no test"


def within(tests: Iterable[str]) -> str:
    """The clause in these tests, or "outside the tests" when there are none."""
    tests = tuple(tests)
    return f"in {describe_tests(tests)}" if tests else "outside the tests"


def of_leak(
    case: Case, leak: Leak, kind: str, message: str, at: Frame | None, about: About, facts: Iterable[Fact] = ()
) -> Finding[About]:
    """A finding about one leak, with these facts and those on how its database was reached."""
    return Finding(
        kind,
        message,
        at.file if at else None,
        at.line if at else None,
        about,
        (*facts, *reach_facts(case, leak)),
        (leak.database.id,),
        leak.tests,
    )


def reach_facts(case: Case, leak: Leak) -> tuple[Fact, ...]:
    """The chain from the opener to the engine, as facts."""
    first, evidence = leak.first, case.evidence
    facts = [
        Fact(
            f"{leak.database.name} was reached ({first.how}, {first.phase}), "
            f"{counted(sum(reach.count for reach in leak.reaches), 'time')}",
            leak.opener.file if leak.opener else None,
            leak.opener.line if leak.opener else None,
            first.entry.at_s,
            first.test,
        )
    ]
    facts += [Fact(f"called from {named(frame)}", frame.file, frame.line) for frame in first.chain[1:5]]
    if first.engine is not None:
        made = evidence.chain(first.engine)
        facts.append(
            Fact(
                f"its engine was made ({first.engine.url})",
                made[0].file if made else None,
                made[0].line if made else None,
                first.engine.at_s,
                first.engine.test,
            )
        )
    return (*facts, *_attached_fact(case, first), *_parts_facts(evidence, first))


def attached_to(reached: Iterable[Reach], reach: Reach) -> Database | None:
    """The database to which the database of a reach was attached; None when it has a connection of its own."""
    to = reach.connection.attached_to
    return next((other.database for other in reached if to is not None and other.connection.connection == to), None)


def _attached_fact(case: Case, reach: Reach) -> Iterator[Fact]:
    to = attached_to(case.reached, reach)
    if to is not None:
        yield fact(
            case.evidence, reach.connection, f"it was attached to a connection to {to.name}, "
            f"as {reach.connection.attached_as}",
        )  # fmt: skip


def _parts_facts(evidence: Evidence, reach: Reach) -> Iterator[Fact]:
    """The variables from which a server's URL was built, unless a single variable holds the URL."""
    made, url = (reach.engine, reach.engine.url) if reach.engine else (reach.connection, reach.connection.configured)
    if url_source_of(evidence, reach).variable is not None:
        return
    for part, event in parts_of(evidence, made, url).items():
        missing = event.op == "missing"
        by = "was not set, so that this default is used" if missing else f"from {writer(evidence, event)}"
        at = first_frame(evidence.chain(event))
        yield Fact(
            f"its {part} is {event.name}={event.value}, {by}",
            at.file if at else None,
            at.line if at else None,
            event.at_s,
            event.test,
        )


def _leaks(evidence: Evidence, wrong: Iterable[Reach]) -> tuple[Leak, ...]:
    pool: dict[tuple[object, ...], list[Reach]] = {}
    written = _written_in_tests(evidence)
    for reach in wrong:
        made = evidence.chain(reach.engine)[:1] if reach.engine is not None else ()
        early, own = reach.phase in ("configure", "collection"), _own_lines(evidence, written, reach)
        pool.setdefault((reach.how, reach.opener, made, early, own), []).append(reach)
    return tuple(Leak(found[0], tuple(found)) for found in pool.values())


def _written_in_tests(evidence: Evidence) -> dict[str, list[Variable]]:
    """The variables that each test sets or removes."""
    found: dict[str, list[Variable]] = {}
    for event in evidence.variables:
        if event.test is not None and event.op in ("set", "removed") and not event.same:
            found.setdefault(event.test, []).append(event)
    return found


def _own_lines(
    evidence: Evidence, written: dict[str, list[Variable]], reach: Reach
) -> tuple[tuple[str, Frame | None], ...]:
    """The variables that a test itself, or its fixture, gave the database of a reach or removed before it, and where.

    What one line of the application reaches for reasons of different tests' own is no single route.
    """
    made = reach.engine if reach.engine is not None else reach.connection
    return tuple(
        (event.name, first_frame(evidence.chain(event)))
        for event in written.get(reach.test or "", ())
        if event.process == made.process and event.at_s <= made.at_s and made.test == reach.test
        and (event.op == "removed" or leads_to(event.value or "", reach))
    )
