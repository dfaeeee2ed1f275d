"""What is at odds in a run of which nobody has said which databases the tests may reach. Pure.

The tests themselves show where they mean to go: by an override, by an engine of their own, by a variable that they
set. What the application opens of its own accord beside that is at odds with it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping

from kit.evidence import Evidence, Frame, Override, Use, Variable
from kit.findings.reach import Reach, called_by_tests, done_by_tests, is_test_file
from kit.findings.sources import leads_to, origin_of
from kit.probes.allow import place_of
from kit.probes.places import URL, place

_CATALOGUES = ("pg_", "sqlite_", "information_schema")  # tables that every server has


def at_odds(evidence: Evidence, reached: tuple[Reach, ...]) -> Iterator[Reach]:
    """Each reach that led elsewhere than the tests mean to go, in the order of time."""
    meant = {reach.database.id for reach in reached if reach.how == "override" and not reach.connection.attached_as}
    meant |= set(_of_tests_own(evidence, reached))
    unreached = list(_named_in_vain(evidence, reached))
    outlived = _outlived(evidence, reached) if len({reach.database.id for reach in reached}) > 1 else set()
    for reach in reached:
        elsewhere = meant or any(_concerns(event, reach) for event in unreached)
        astray = elsewhere and reach.database.id not in meant and _of_its_own_accord(evidence, reach)
        if reach.database.lives_on and (astray or id(reach) in outlived):
            yield reach


def unnamed(evidence: Evidence, reached: Iterable[Reach]) -> Iterator[Reach]:
    """The first reach of each database that lives on and to which nothing of the tests' own leads.

    Neither an override, nor an engine or a connection that they made or had made, nor a variable that they set; and it
    is no file that the run has made.
    """
    first: dict[str, Reach] = {}
    named = set()
    for reach in reached:
        first.setdefault(reach.database.id, reach)
        if _is_named_by_tests(evidence, reach):
            named.add(reach.database.id)
    return (reach for identity, reach in first.items() if reach.database.lives_on and identity not in named)


def _is_named_by_tests(evidence: Evidence, reach: Reach) -> bool:
    made, written = _made(evidence, reach), origin_of(evidence, reach).written
    if reach.connection.fresh or (reach.how == "override" and not reach.connection.attached_as):
        return True
    if made and (is_test_file(made[0].file) or (reach.engine is not None and called_by_tests(made))):
        return True
    return written is not None and (done_by_tests(evidence, written) or _by_configuration(written))


def _by_configuration(written: Variable) -> bool:
    """Whether a variable was set out of the configuration of the tests themselves."""
    return (written.written_by or "").partition(".")[0] in ("pytest_env", "pytest_dotenv")


def _of_tests_own(evidence: Evidence, reached: Iterable[Reach]) -> Iterator[str]:
    """The databases in which the tests use tables through an engine, or a connection, that they made themselves."""
    with_tables = {use.connection for use in evidence.uses if _uses_a_table(use)}
    for reach in reached:
        made = _made(evidence, reach)
        if made and is_test_file(made[0].file) and reach.connection.connection in with_tables:
            yield reach.database.id


def _made(evidence: Evidence, reach: Reach) -> tuple[Frame, ...]:
    """What led to the place of a reach: its engine, the statement that attached it, or the connection itself."""
    if reach.connection.attached_as:
        return evidence.chain(reach.connection)
    return evidence.chain(reach.engine) if reach.engine is not None else reach.chain


def _uses_a_table(use: Use) -> bool:
    return any(not table.startswith(_CATALOGUES) for table in use.tables)


def _named_in_vain(evidence: Evidence, reached: tuple[Reach, ...]) -> Iterator[Variable]:
    """The writings by the tests that name a database which was not reached."""
    for event in evidence.variables:
        if event.op != "set" or not event.value or not done_by_tests(evidence, event):
            continue
        if _names_a_place(event) and not any(_leads_there(event.value, reach) for reach in reached):
            yield event


def _names_a_place(event: Variable) -> bool:
    return event.value is not None and (URL.match(event.value) is not None or "/" in event.value)


def _leads_there(value: str, reach: Reach) -> bool:
    """Tell whether a value names what was reached, or what that was made of: `test` and `test_gw0`."""
    if leads_to(value, reach) or (reach.engine is not None and place(value) == place(reach.engine.url) is not None):
        return True
    if place(value) is None:
        return False
    named, gone_to = place_of(value), place_of(reach.connection.configured)
    if not named.database:  # a server, or what lives in memory
        return not reach.database.lives_on or (named.host, named.port) == (gone_to.host, gone_to.port)
    return bool(named.host) and named.host == gone_to.host and gone_to.database.startswith(named.database)


def _concerns(event: Variable, reach: Reach) -> bool:
    """Tell whether a writing was to hold for a reach: one that a test makes for itself ends with it."""
    lasting = event.test is None or event.scope not in (None, "function")
    return event.process == reach.entry.process and (lasting or event.test == reach.test)


def _of_its_own_accord(evidence: Evidence, reach: Reach) -> bool:
    """Tell whether neither the tests' own code opened it or had its engine made, nor a variable of theirs led there."""
    made, opener = _made(evidence, reach), reach.opener if not reach.connection.attached_as else None
    if not made or is_test_file(made[0].file) or (opener is not None and is_test_file(opener.file)):
        return False
    if reach.engine is not None and reach.engine.request is None and called_by_tests(made):
        return False
    written = origin_of(evidence, reach).written
    return written is None or not done_by_tests(evidence, written)


def _outlived(evidence: Evidence, reached: Iterable[Reach]) -> set[int]:
    """The reaches, by id, through an override that another test had set for itself, and left there."""
    changes: dict[tuple[int, str], list[Override]] = {}
    for change in evidence.overrides:
        changes.setdefault((change.process, change.key), []).append(change)
    return {id(reach) for reach in reached if reach.how == "override" and _left(changes, reach)}


def _left(changes: Mapping[tuple[int, str], list[Override]], reach: Reach) -> bool:
    assert reach.dependency is not None
    of_its_key = changes.get((reach.entry.process, reach.dependency.callable), [])
    number = bisect_right(of_its_key, reach.entry.at_s, key=lambda change: change.at_s)
    if not number or reach.test is None:
        return False
    last = of_its_key[number - 1]
    return last.op != "removed" and last.test not in (None, reach.test) and last.scope in (None, "function")
