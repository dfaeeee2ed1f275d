"""Which databases contradict the tests' own configuration, in a run without an allow-list. Pure.

The tests show which databases they intend by an override, by an engine of their own, or by a variable that they set.
Other databases that the application opens by itself contradict that. So does a database that the application's source
names, whoever opens it, and one that an engine connects to although its URL names another.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping

from kit.analysis.callers import is_made_for_application
from kit.analysis.led_elsewhere import connects_elsewhere
from kit.analysis.named_by_application import named_by_application
from kit.analysis.reach import Reach, called_by_tests, done_by_tests, is_test_file
from kit.analysis.url_source import leads_to, url_source_of
from kit.evidence.model import Engine, Evidence, Frame, Override, Setting, Use, Variable
from kit.probes.allow import place_of
from kit.probes.places import FILE, URL, place

_CATALOGUES = ("pg_", "sqlite_", "information_schema")  # tables that every server has


def contradicting_reaches(evidence: Evidence, reached: tuple[Reach, ...]) -> Iterator[Reach]:
    """Each reach that contradicts the tests' configuration, ordered by time."""
    meant = {reach.database.id for reach in reached if reach.how == "override" and not reach.connection.attached_as}
    meant |= set(_used_by_test_engines(evidence, reached))
    own = named_by_application(evidence, reached)
    theirs = any(reach.database.id in meant - own for reach in reached)
    unreached, unused = list(_unreached_settings(evidence, reached)), list(_unreached_engines(evidence, reached))
    outlived = _outlived(evidence, reached) if len({reach.database.id for reach in reached}) > 1 else set()
    for reach in reached:
        elsewhere = meant or any(_is_in_effect(event, reach) for event in unreached)
        contradicts = elsewhere and reach.database.id not in meant and _is_chosen_by_application(evidence, reach)
        past = reach.database.id in own and (theirs or any(_is_in_effect(engine, reach) for engine in unused))
        wrong = contradicts or past or id(reach) in outlived or _is_redirected(evidence, reach)
        if reach.database.lives_on and wrong:
            yield reach


def unselected_reaches(evidence: Evidence, reached: Iterable[Reach]) -> Iterator[Reach]:
    """The first reach of each lasting database that no action of the tests selected.

    Tests select a database by an override, by an engine or connection that they made, or by a variable or setting that
    they set; a file that the run created counts as selected too. An engine that the application made when tests called
    it counts if no other database is in use. It does not count if the same line makes engines of other databases for
    other callers in the application.
    """
    first: dict[str, Reach] = {}
    reached = tuple(reached)
    named, had_made, in_use = set(), set(), set()
    with_tables = _with_tables(evidence)
    for reach in reached:
        identity = reach.database.id
        first.setdefault(identity, reach)
        if _is_named_by_tests(evidence, reach):
            named.add(identity)
        elif _is_made_for_tests(evidence, reach) and not is_made_for_application(evidence, reach, reached):
            had_made.add(identity)
        if reach.database.lives_on and reach.connection.connection in with_tables:
            in_use.add(identity)
    # The application opened these when tests called it, which does not show which of several databases was meant.
    rivals = [first[identity] for identity in (named | had_made) & in_use]
    named |= {identity for identity in had_made if all(_is_on_same_server(first[identity], rival) for rival in rivals)}
    return (reach for identity, reach in first.items() if reach.database.lives_on and identity not in named)


def _is_on_same_server(reach: Reach, other: Reach) -> bool:
    """Whether two databases are the same, or on the same server, where tests may keep several databases."""
    if reach.database.path is not None or other.database.path is not None:
        return reach.database.id == other.database.id
    here, there = place_of(reach.connection.configured), place_of(other.connection.configured)
    return (here.host, here.port) == (there.host, there.port)


def _is_named_by_tests(evidence: Evidence, reach: Reach) -> bool:
    made, written = _deciding_stack(evidence, reach), url_source_of(evidence, reach).written
    if reach.connection.fresh or (reach.how == "override" and not reach.connection.attached_as):
        return True
    if made and is_test_file(made[0].file):
        return True
    if written is not None and (done_by_tests(evidence, written) or _is_set_by_plugin(written)):
        return True
    return _is_set_by_tests(evidence, reach)


def _is_made_for_tests(evidence: Evidence, reach: Reach) -> bool:
    """Whether the application made the engine when test code called it."""
    return reach.engine is not None and called_by_tests(_deciding_stack(evidence, reach)) is not None


def _is_set_by_plugin(written: Variable) -> bool:
    """Whether a pytest plugin set a variable from the tests' configuration."""
    return (written.written_by or "").partition(".")[0] in ("pytest_env", "pytest_dotenv")


def _used_by_test_engines(evidence: Evidence, reached: Iterable[Reach]) -> Iterator[str]:
    """The databases in which the tests use tables through an engine or connection that they made themselves."""
    with_tables = _with_tables(evidence)
    for reach in reached:
        made = _deciding_stack(evidence, reach)
        if made and is_test_file(made[0].file) and reach.connection.connection in with_tables:
            yield reach.database.id


def _deciding_stack(evidence: Evidence, reach: Reach) -> tuple[Frame, ...]:
    """The stack that determined the database of a reach: its engine's, its ATTACH statement's, or its own."""
    if reach.connection.attached_as:
        return evidence.chain(reach.connection)
    return evidence.chain(reach.engine) if reach.engine is not None else reach.chain


def _with_tables(evidence: Evidence) -> set[str]:
    """The connections on which a table of a program's own, not of the catalogue, was used."""
    return {use.connection for use in evidence.uses if _uses_a_table(use)}


def _uses_a_table(use: Use) -> bool:
    return any(not table.startswith(_CATALOGUES) for table in use.tables)


def _unreached_settings(evidence: Evidence, reached: tuple[Reach, ...]) -> Iterator[Variable | Setting]:
    """The variables and settings that the tests set to a database that was not reached."""
    written: tuple[Variable | Setting, ...] = (*evidence.variables, *evidence.settings)
    for event in written:
        if event.op not in ("set", "changed") or not event.value or not done_by_tests(evidence, event):
            continue
        if _names_a_place(event) and not any(_names_reached(event.value, reach) for reach in reached):
            yield event


def _unreached_engines(evidence: Evidence, reached: tuple[Reach, ...]) -> Iterator[Engine]:
    """The engines that the tests made for a database that was not reached."""
    connected = {one.engine for one in evidence.connections} | {use.engine for use in evidence.uses}
    for engine in evidence.engines:
        made = evidence.chain(engine)
        if engine.engine in connected or not made or not is_test_file(made[0].file):
            continue
        named = place_of(engine.url).database not in ("", ":memory:")
        if named and not any(_names_reached(engine.url, reach) for reach in reached):
            yield engine


def _is_redirected(evidence: Evidence, reach: Reach) -> bool:
    """Whether the application made an engine connect to another database than its URL names."""
    if not connects_elsewhere(reach):
        return False
    frames = (*_deciding_stack(evidence, reach)[:1], *evidence.chain(reach.connection)[:1])
    return not any(is_test_file(frame.file) for frame in frames)


def _names_a_place(event: Variable | Setting) -> bool:
    if isinstance(event, Setting) and FILE.search(event.value or ""):
        return True
    return event.value is not None and (URL.match(event.value) is not None or "/" in event.value)


def _names_reached(value: str, reach: Reach) -> bool:
    """Whether a value names the reached database or the name it was derived from, as `test` for `test_gw0`."""
    if leads_to(value, reach) or (reach.engine is not None and place(value) == place(reach.engine.url) is not None):
        return True
    if place(value) is None:
        return False
    named, gone_to = place_of(value), place_of(reach.connection.configured)
    if not named.database:  # a server, or an in-memory database
        return not reach.database.lives_on or (named.host, named.port) == (gone_to.host, gone_to.port)
    return bool(named.host) and named.host == gone_to.host and gone_to.database.startswith(named.database)


def _is_in_effect(event: Variable | Setting | Engine, reach: Reach) -> bool:
    """Whether an event was still in effect at a reach: what a test makes for itself ends with the test."""
    lasting = event.test is None or event.scope not in (None, "function")
    return event.process == reach.entry.process and (lasting or event.test == reach.test)


def _is_chosen_by_application(evidence: Evidence, reach: Reach) -> bool:
    """Whether the application opened the database by itself: no test code, engine, variable or setting led to it."""
    made, opener = _deciding_stack(evidence, reach), reach.opener if not reach.connection.attached_as else None
    if not made or is_test_file(made[0].file) or (opener is not None and is_test_file(opener.file)):
        return False
    if reach.engine is not None and reach.engine.request is None and called_by_tests(made):
        return False
    written = url_source_of(evidence, reach).written
    return (written is None or not done_by_tests(evidence, written)) and not _is_set_by_tests(evidence, reach)


def _is_set_by_tests(evidence: Evidence, reach: Reach) -> bool:
    """Whether the tests had set a setting to the reached database before its engine or connection was made."""
    made = reach.engine or reach.connection
    return any(
        event.op == "changed"
        and event.process == made.process
        and event.at_s <= made.at_s
        and leads_to(event.value, reach)
        and done_by_tests(evidence, event)
        for event in evidence.settings
    )


def _outlived(evidence: Evidence, reached: Iterable[Reach]) -> set[int]:
    """The `id()` of each reach through an override that another test had set for itself and not removed."""
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
